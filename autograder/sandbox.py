"""A submission behind walls: ``student.rope(...)`` runs in a sandbox and gives data or an error.

Owns: Student, the choice of backend, what happens after a crash. Must not know: checks, expected
values, points, courses. Read before: wire.py, worker.py, loans.py, walls.py.

>>> with sandbox.Student({"double": "def double(x): return 2 * x"}) as student:
...     student.double(21)
42
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autograder import attacks, loans
from autograder.errors import SandboxUnavailable
from autograder.request import NOTHING, Given, encode_request
from autograder.walls import BACKENDS, Backend, Tools
from autograder.watch import PATIENCE, Limits, Stopped, exact_cpu_seconds
from autograder.wire import (
    BadFrame,
    Frame,
    Handle,
    Observation,
    Reply,
    StudentError,
    clean_text,
)
from autograder.worker import Server, Worker

__all__ = ["Backend", "Handle", "Limits", "Observation", "Server", "Student", "StudentError",
           "backends", "choose", "probe", "self_attack"]  # fmt: skip
MAX_TIMEOUTS = 2
# a compiler takes seconds and some hundred MiB, and writes libraries
WORKSHOP = Limits(call_s=30, total_s=300, cpu_s=240, memory_bytes=1 << 30, file_bytes=16 << 20)
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
        self._apart = False  # no calls travel together any more
        self._released: list[int] = []
        self.measured: dict[str, Any] = {}  # what checks found out once for this submission
        self._printed = ["", ""]
        self._workshops: dict[str, Student] = {}
        self._parts: loans.Parts = {}  # functions of ours that it may call now
        self._lent_to = 0  # the generation that has been told so

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

    def several(self, name: str, calls: Iterable[Given]) -> Iterator[Any]:
        """The values of calls that do not depend on each other, ``(args, kwargs)`` of each.

        They travel together, which costs less than one by one; the first that raises ends it. Where
        their process is stopped they are made again, one by one, and so are all later ones, as if
        they had never travelled: what each is limited to and charged with stays the same.
        """
        calls, before = list(calls), (self._spent_s, dict(self._timeouts))
        try:
            replies = None if self._apart or not calls else self._together(name, calls)
        except StudentError:
            replies, self._apart, (self._spent_s, self._timeouts) = None, True, before
        if replies is None:
            yield from (self._call(name, *args, **kwargs) for args, kwargs in calls)
        else:
            yield from (self._read(reply, Reply.value) for reply in replies)

    def workshop(self, name: str, program: str, packages: Iterable[Path] = ()) -> Student:
        """Trusted code behind the same kind of walls, where it may run compilers.

        ``program`` is its source. What a submission gave as data is compiled and run there, where
        the submission's Python never was; what comes back is data again. One for each ``name``,
        with limits of its own, ended with this student.
        """
        server = self._server.workshop(Tools(tuple(packages)))
        for other in self._workshops.keys() - {name}:  # a server has one worker at a time
            self._workshops[other]._leave()
        if name not in self._workshops:
            self._workshops[name] = Student({name: program}, limits=WORKSHOP, backend=server)
        return self._workshops[name]

    @contextmanager
    def lent(self, parts: loans.Parts) -> Iterator[None]:
        """While entered, these functions of ours stand in the place of the submission's own.

        They run here, on arguments that are a stranger's: each must bound what it does with them.
        """
        self._parts = parts
        try:
            yield
        finally:
            if self._worker is not None and self._lent_to == self._generation:
                try:
                    self._load("lent", loans.TAKE_BACK)
                except StudentError:
                    self._leave()  # whatever it made of that, the next process has its own
            self._parts, self._lent_to = {}, 0

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
        self._load(PLANTED, KEEP + source)
        try:
            yield
        finally:
            if self._worker is not None and self._generation == process:
                self._load(UPROOTED, RESTORE)

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
        for workshop in self._workshops.values():
            workshop.close()
        self._workshops.clear()
        self._leave()
        if self._own:
            self._server.close()

    def _call(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        return self._read(self._ask(name, None, args, kwargs)[0], Reply.value)

    def _together(self, name: str, calls: list[Given]) -> list[Reply]:
        """The replies to calls that travel together, up to the first that raised."""
        self._allow(name, None, [v for args, kw in calls for v in (*args, *kw.values())])
        request = {"op": "call", "name": name, "on": None, "observe": False}
        reply = self._exchange(name, request, calls=calls)
        return self._read(reply, lambda r: r.each(len(calls)))

    def _ask(
        self, name: str, on: Handle | None, args: tuple, kwargs: dict, observe: bool = False
    ) -> tuple[Reply, float]:
        self._allow(name, on, (on, *args, *kwargs.values()))
        number = on._number if on is not None else None
        request = {"op": "call", "name": name, "on": number, "observe": observe}
        start = time.perf_counter()
        reply = self._exchange(name, request, args, kwargs)
        return reply, time.perf_counter() - start

    def _allow(self, name: str, on: Handle | None, given: Iterable[Any]) -> None:
        """Have a process that a call may be sent to. Raises StudentError where none may."""
        if self._timeouts.get(name, 0) >= MAX_TIMEOUTS:
            raise StudentError("timeout", f"{name} was stopped {MAX_TIMEOUTS} times: not called")
        self._enter()
        if name in self._unloadable and on is None:
            raise self._unloadable[name]
        if self._parts and self._lent_to != self._generation:
            self._load("lent", loans.source(self._parts))
            self._lent_to = self._generation
        for handle in given:
            if isinstance(handle, Handle) and handle._owner.generation != self._generation:
                raise StudentError("killed", f"{handle!r} was lost when its process ended")

    def _exchange(
        self, name: str, request: dict, args=(), kwargs=NOTHING, calls: Iterable[Given] = ()
    ) -> Reply:
        left_s = self._limits.total_s - self._spent_s
        if left_s <= 0:
            raise StudentError(
                "timeout", f"the submission has used its {self._limits.total_s:.3g} s: not called"
            )
        self._n_requests += 1
        released, self._released = self._released, []
        request |= {"id": self._n_requests, "release": released}
        frame = encode_request(request, args, kwargs, calls)
        start = time.monotonic()
        try:
            reply = self._reply(self._worker.exchange(frame, left_s))
            end = start + min(left_s, PATIENCE * self._limits.call_s)
            for _ in range(loans.MOST_ASKED):
                if reply.asks is None:
                    return reply
                frame = self._guard(self._answer, reply)
                seconds = max(end - time.monotonic(), 0.0)
                reply = self._reply(self._worker.exchange(frame, seconds))
            raise self._broken(f"more than {loans.MOST_ASKED} calls of what was lent")
        except Stopped as stop:
            self._leave()
            if stop.why == "timeout":
                self._timeouts[name] = self._timeouts.get(name, 0) + 1
            raise StudentError(stop.why, f"{name}: {stop}") from None
        finally:
            self._spent_s += time.monotonic() - start

    def _answer(self, reply: Reply) -> bytes:
        """The frame with what a lent function of ours gives."""
        if reply.asks not in self._parts:
            raise BadFrame(f"a call of {clean_text(reply.asks)[:100]}, which is not lent now")
        args, kwargs = reply.asked()
        try:
            return encode_request({}, loans.answer(self._parts, reply.asks, args, kwargs))
        except (loans.Refused, TypeError, ValueError, RecursionError) as refused:
            return encode_request({"error": clean_text(str(refused))})

    def _reply(self, frame: Frame) -> Reply:
        reply, blobs = self._guard(frame.parse)
        if not isinstance(reply.get("ask"), str) and reply.get("id") != self._n_requests:
            raise self._broken("an answer to another question")
        owner = _Lender if isinstance(reply.get("ask"), str) else _Owner
        return Reply(reply, blobs, owner(self, self._generation))

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
                    self._load(name, source)
                except StudentError as error:
                    if self._worker is None:  # it took the process with it: the others again
                        self._unloadable[name] = _Fatal(error.tag, error.message)
                        break
                    self._unloadable[name] = error

    def _load(self, name: str, source: str) -> None:
        """Have the process execute a source. Raises StudentError for what that raises."""
        reply = self._exchange(name, {"op": "load", "name": name, "source": source})
        self._read(reply, Reply.value)

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


class _Lender(_Owner):
    """What handles ask that stand in a call of a lent function: they are passed back, no more."""

    def call_method(self, handle: Handle, name: str, args: tuple, kwargs: dict) -> Any:
        raise TypeError(f"{handle!r} is no data")


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
