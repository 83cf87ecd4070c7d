"""A submission behind walls: ``student.rope(...)`` runs in a sandbox and gives data or an error.

Owns: Student, the choice of backend, what happens after a crash. Must not know: checks, expected
values, points, courses. Read before: wire.py, worker.py, walls.py.

>>> with sandbox.Student({"double": "def double(x): return 2 * x"}) as student:
...     student.double(21)
42
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autograder import attacks
from autograder.errors import SandboxUnavailable
from autograder.walls import BACKENDS, Backend
from autograder.watch import Limits, Stopped, exact_cpu_seconds
from autograder.wire import (
    BadFrame,
    Frame,
    Handle,
    Observation,
    Reply,
    StudentError,
    clean_text,
    encode_request,
)
from autograder.worker import Server, Worker

__all__ = ["Backend", "Handle", "Limits", "Observation", "Server", "Student", "StudentError",
           "backends", "choose", "probe", "self_attack"]  # fmt: skip
MAX_TIMEOUTS = 2
PLANTED, UPROOTED = "planted", "uprooted"  # names of what is loaded besides the holes
KEEP = "__kept__ = dict(globals())\n"
RESTORE = "(lambda kept: (globals().clear(), globals().update(kept)))(__kept__)\n"
INSTALL = (
    "no sandbox works on this system, so nothing was graded. "
    "On Debian or Ubuntu: apt-get install bubblewrap libseccomp2. "
    "--no-sandbox-i-trust-this-code grades anyway, and stamps every result UNSANDBOXED."
)


class Student:
    """A submission; every function and class that its holes define is an attribute.

    ``sources`` maps a hole to its source, in order; they share one namespace, in which ``setup``
    ran first. ``backend`` is a Backend, a running Server (shared by many submissions, one after
    the other), or None to choose. A call gives a value (arrays, numbers, strings, None, lists,
    tuples, dicts, or a Handle to anything else) or raises StudentError. After a crash or a
    time-out the next call starts a new process: what the submission remembered is gone.
    """

    def __init__(
        self,
        sources: Mapping[str, str],
        setup: str = "import numpy as np\n",
        limits: Limits | None = None,
        backend: Backend | Server | None = None,
    ) -> None:
        self._sources = {"setup": setup, **sources}
        self._limits = limits or Limits()
        self._own = not isinstance(backend, Server)
        self._server = Server(backend or choose()) if self._own else backend
        self._worker: Worker | None = None
        self._generation = 0  # of the process: handles of an earlier one mean nothing
        self._n_requests = 0
        self._spent_s = 0.0
        self._unloadable: dict[str, StudentError] = {}
        self._timeouts: dict[str, int] = {}
        self._released: list[int] = []
        self.measured: dict[str, Any] = {}  # what checks found out once for this submission
        self._printed = ["", ""]

    def __enter__(self) -> Student:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return functools.partial(self._call, name)

    def observe(self, name: str, /, *args: Any, **kwargs: Any) -> Observation:
        """Call a function and see what it did besides: arguments after, shared memory, warnings."""
        reply, seconds = self._ask(name, None, args, kwargs, observe=True)
        return self._read(reply, lambda r: r.observation(seconds))

    @property
    def printed(self) -> tuple[str, str]:
        """Standard output and standard error so far, each cut at ``output_bytes``, fit to print."""
        now = self._worker.output() if self._worker else ("", "")
        kept = self._limits.output_bytes
        return tuple(
            "\n".join(clean_text(line) for line in (before + more)[:kept].split("\n"))
            for before, more in zip(self._printed, now, strict=True)
        )

    @property
    def backend(self) -> Backend:
        """The walls around it; ``backend.title`` is the stamp for reports."""
        return self._server.backend

    @property
    def sources(self) -> Mapping[str, str]:
        """The text of each hole."""
        return {name: text for name, text in self._sources.items() if name != "setup"}

    @property
    def cpu_s(self) -> float:
        """Processor seconds of the submission's process so far, as seen from outside."""
        self._enter()
        return exact_cpu_seconds(self._worker.pid)

    @contextmanager
    def planted(self, source: str) -> Iterator[None]:
        """Run ``source`` in the submission's namespace; its names are what they were afterwards.

        For a bug put around a function, or for a meter: what is planted is no secret, for the
        submission can read it. Nothing is to be restored where the process ended meanwhile.
        """
        self._enter()
        process = self._generation
        self._plant(KEEP + source)
        try:
            yield
        finally:
            if self._worker is not None and self._generation == process:
                self._plant(RESTORE, UPROOTED)

    def _plant(self, source: str, name: str = PLANTED) -> None:
        reply = self._exchange(name, {"op": "load", "name": name, "source": source})
        self._read(reply, Reply.value)

    @contextmanager
    def instead(self, source: str) -> Iterator[Student]:
        """Another program in the submission's place: same walls and limits, its own process.

        The submission's process ends before, so that neither sees the other.
        """
        self._leave()
        other = Student({"program": source}, limits=self._limits, backend=self._server)
        try:
            yield other
        finally:
            other.close()

    def close(self) -> None:
        """End the process, and the sandbox if it is its own."""
        self._leave()
        if self._own:
            self._server.close()

    def _call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        return self._read(self._ask(name, None, args, kwargs)[0], Reply.value)

    def _ask(
        self, name: str, on: Handle | None, args: tuple, kwargs: dict, observe: bool = False
    ) -> tuple[Reply, float]:
        if self._timeouts.get(name, 0) >= MAX_TIMEOUTS:
            raise StudentError("timeout", f"{name} was stopped {MAX_TIMEOUTS} times: not called")
        self._enter()
        if name in self._unloadable and on is None:
            raise self._unloadable[name]
        for handle in (on, *args, *kwargs.values()):
            if isinstance(handle, Handle) and handle._owner.generation != self._generation:
                raise StudentError("killed", f"{handle!r} was lost when its process ended")
        number = on._number if on is not None else None
        request = {"op": "call", "name": name, "on": number, "observe": observe}
        start = time.perf_counter()
        reply = self._exchange(name, request, args, kwargs)
        return reply, time.perf_counter() - start

    def _exchange(self, name: str, request: dict, args: tuple = (), kwargs: dict | None = None):
        left_s = self._limits.total_s - self._spent_s
        if left_s <= 0:
            raise StudentError(
                "timeout", f"the submission has used its {self._limits.total_s:.3g} s: not called"
            )
        self._n_requests += 1
        released, self._released = self._released, []
        request |= {"id": self._n_requests, "release": released}
        frame = encode_request(request, args, kwargs or {})
        start = time.monotonic()
        try:
            return self._reply(self._worker.exchange(frame, left_s))
        except Stopped as stop:
            self._leave()
            if stop.why == "timeout":
                self._timeouts[name] = self._timeouts.get(name, 0) + 1
            raise StudentError(stop.why, f"{name}: {stop}") from None
        finally:
            self._spent_s += time.monotonic() - start

    def _reply(self, frame: Frame) -> Reply:
        reply, blobs = self._guard(frame.parse)
        if reply.get("id") != self._n_requests:
            raise self._broken("an answer to another question")
        return Reply(reply, blobs, _Owner(self, self._generation))

    def _read(self, reply: Reply, how: Callable[[Reply], Any]) -> Any:
        return self._guard(how, reply)

    def _guard(self, function: Callable[..., Any], *args: Any) -> Any:
        try:
            return function(*args)
        except (BadFrame, RecursionError, MemoryError) as problem:
            raise self._broken(str(problem)) from problem

    def _broken(self, problem: str) -> StudentError:
        self._leave()
        return StudentError("bad-reply", f"what came back is not data: {problem}")

    def _enter(self) -> None:
        """Have a process with all sources loaded; one that can't be loaded is remembered."""
        while self._worker is None:
            self._generation += 1
            self._released.clear()
            self._worker = self._server.worker(self._limits)
            for name, source in self._sources.items():
                if isinstance(self._unloadable.get(name), _Fatal):
                    continue
                try:
                    reply = self._exchange(name, {"op": "load", "name": name, "source": source})
                    self._read(reply, Reply.value)
                except StudentError as error:
                    if self._worker is None:  # it took the process with it: the others again
                        self._unloadable[name] = _Fatal(error.tag, error.message)
                        break
                    self._unloadable[name] = error

    def _leave(self) -> None:
        if self._worker is not None:
            self._worker.close()
            more = self._worker.output()
            self._printed = [
                (a + b)[: self._limits.output_bytes]
                for a, b in zip(self._printed, more, strict=True)
            ]
            self._worker = None


class _Owner:
    """What handles of one process ask: to call a method, to forget an object."""

    def __init__(self, student: Student, generation: int) -> None:
        self._student, self.generation = student, generation

    def call_method(self, handle: Handle, name: str, args: tuple, kwargs: dict) -> Any:
        student = self._student
        return student._read(student._ask(name, handle, args, kwargs)[0], Reply.value)

    def release(self, number: int) -> None:
        if self.generation == self._student._generation:
            self._student._released.append(number)


class _Fatal(StudentError):
    """A source that ends its process when it is loaded."""


def backends() -> list[Backend]:
    """All kinds of walls, best first."""
    return list(BACKENDS)


def probe(backend: Backend) -> str:
    """Why a backend can't be used here, "" if it can: found by running it."""
    if why := backend.missing():
        return why
    try:
        with Server(backend) as server:
            server.worker(Limits()).close()
    except SandboxUnavailable as error:
        return str(error)
    return ""


def choose(allow_unsandboxed: bool = False) -> Backend:
    """The best backend that runs here. Raises SandboxUnavailable, which says what to install."""
    reasons = []
    for backend in BACKENDS:
        if backend.sandboxed or allow_unsandboxed:
            why = probe(backend)
            if not why:
                return backend
            reasons.append(f"{backend.title}: {why}")
    raise SandboxUnavailable("\n".join([INSTALL, *reasons]))


def self_attack(backend: Backend) -> list[str]:
    """Attack ourselves through ``backend``; the names of the attacks that got through."""
    return attacks.run(lambda sources, limits: Student(sources, limits=limits, backend=backend))
