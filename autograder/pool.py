"""Processes of this machine, each working on one item at a time.

Each works in its main thread alone, because a sandbox started with ``--die-with-parent`` dies with
the *thread* that started it. One that takes too long, or dies, costs its item alone: its outcome is
words. A process ends with the one that started it, however that ends. Owns: processes, their pipes,
time limits. Must not know: what the function does, retries, clusters.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

START_S = 60.0  # a worker may take this long to begin: starting waits for a busy machine
STOP_S = 10.0
BEGUN = "begun"
# a plain -I leaves out PYTHONPATH and the working folder: the worker's path is its parent's
WORK = """
import json, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends us
sys.path[:] = json.loads(sys.argv[1])
from autograder import pool
pool.work(int(sys.argv[2]), sys.argv[3:])
"""


@dataclass(frozen=True)
class Outcome:
    """How one try ended: with a value, or lost in these words, perhaps by an exception.

    ``final`` says that another try would do harm.
    """

    value: Any = None
    lost: str = ""
    error: Exception | None = None
    final: bool = False


Held = tuple[int, Any, int]  # number, item, which try


class Pool:
    """Up to ``jobs`` processes of this machine, which work on items with ``function``."""

    def __init__(
        self, jobs: int, limit_s: float, function: Callable[[Any], Any] | None = None
    ) -> None:
        self.function, self._jobs, self._limit_s = function, max(1, jobs), limit_s
        self._idle: list[Worker] = []
        self._busy: list[Worker] = []

    def begin(self, n: int, modules: Iterable[str]) -> None:
        """Start up to n processes, which import ``modules`` while the function is not known yet."""
        self._idle += [Worker(modules) for _ in range(min(n, self._jobs))]

    @property
    def room(self) -> bool:
        """True where another item can be given."""
        return len(self._busy) < self._jobs

    @property
    def n_held(self) -> int:
        return len(self._busy)

    def give(self, held: Held) -> None:
        """Start work on an item."""
        worker = self._idle.pop() if self._idle else Worker()
        self._busy.append(worker)
        worker.give(held, self.function)

    def finished(self) -> list[tuple[Held, Outcome]]:
        """Wait for some worker; what became of its item, once or several."""
        found = []
        for worker, outcome in self._heard():
            self._busy.remove(worker)
            if outcome.lost:
                worker.stop()
            else:
                self._idle.append(worker)
            found.append((worker.holds, outcome))
        return found

    def kill(self) -> None:
        """End the processes from another thread than the one that waits for them."""
        for worker in (*self._busy, *self._idle):
            worker.process.terminate()
            threading.Thread(target=worker.process.wait, daemon=True).start()  # no zombies

    def close(self) -> None:
        """End the processes: idle ones leave by themselves."""
        for worker in (*self._busy, *self._idle):
            worker.pipe.close()
        for worker in self._busy:
            worker.stop()
        for worker in self._idle:
            worker.stop(idle=True)
        self._busy, self._idle = [], []

    def _heard(self) -> list[tuple[Worker, Outcome]]:
        by_pipe = {w.pipe: w for w in self._busy}
        left = max(0.0, min(w.until for w in self._busy) - time.monotonic())
        ready = [by_pipe[p] for p in wait(list(by_pipe), timeout=min(left, 3600.0))]
        found: list[tuple[Worker, Outcome]] = []
        for worker in ready:
            try:
                said = worker.pipe.recv()
                if said == BEGUN:
                    worker.until = time.monotonic() + self._limit_s
                else:
                    found.append((worker, said))
            except (EOFError, OSError):
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(5)
                words = f"the grading process ended (code {worker.process.poll()})"
                found.append((worker, Outcome(lost=words)))
        now = time.monotonic()
        late = [w for w in self._busy if w not in ready and w.until <= now]
        words = "the grading process took too long and was stopped"
        return found + [(w, Outcome(lost=words)) for w in late]


class Worker:
    """One process and the item it holds."""

    def __init__(self, modules: Iterable[str] = ()) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        # not multiprocessing.Process: a Dask worker is one, and may have none of its own
        told = json.dumps(sys.path), str(theirs.fileno()), *modules
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", WORK, *told],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
        theirs.close()
        self.holds: Held = (0, None, 0)
        self.until = float("inf")
        self._knows_function = False

    def give(self, held: Held, function: Callable[[Any], Any]) -> None:
        self.holds = held
        self.until = time.monotonic() + START_S
        with contextlib.suppress(OSError):  # it is dead; its closed pipe says so at the next wait
            if not self._knows_function:
                self.pipe.send(function)
                self._knows_function = True
            self.pipe.send(held[1])

    def stop(self, idle: bool = False) -> None:
        """End the process; an idle one leaves by itself, one that does not listen is killed."""
        self.pipe.close()
        for end in [lambda: None] * idle + [self.process.terminate, self.process.kill]:
            end()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(STOP_S)
                return


def work(descriptor: int, modules: Iterable[str]) -> None:
    """The life of a worker: a function, then items in, outcomes out, until the pipe closes."""

    def leave(*_: object) -> None:  # by an exception, so that what is held is let go
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(1)

    signal.signal(signal.SIGTERM, leave)
    pipe = Connection(descriptor)
    threading.Thread(target=_end_with, args=(descriptor,), daemon=True).start()
    for module in modules:
        importlib.import_module(module)
    with contextlib.ExitStack() as stack:
        try:
            function, entered = pipe.recv(), False
            while True:
                item = pipe.recv()
                pipe.send(BEGUN)
                try:
                    if not entered and hasattr(function, "__exit__"):
                        stack.enter_context(function)
                    entered = True
                    reply = Outcome(function(item))
                except Exception as error:  # noqa: BLE001 - it is raised in the parent
                    reply = _failed(error)
                pipe.send(reply)
        except (EOFError, OSError):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # leaving is not to be disturbed


def _end_with(descriptor: int) -> None:
    """End this process when the parent's end of the pipe closes, in the midst of work too."""
    poll = select.poll()
    poll.register(descriptor, 0)  # nothing but the end
    poll.poll()
    os.kill(os.getpid(), signal.SIGTERM)


def _failed(error: Exception) -> Outcome:
    """The exception and its place in words; a plain one where it cannot cross a pipe."""
    words = words_of(error)
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - foreign exceptions fail in ways of their own
        error = RuntimeError(words)
    return Outcome(lost=words, error=error)


def words_of(error: BaseException) -> str:
    """An exception of the function, and its place."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"the grader failed: {type(error).__name__}: {error}{where}"[:2000]
