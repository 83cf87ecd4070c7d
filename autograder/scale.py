"""The same function over many items in several processes; no item can stop the others.

A worker is one process that works in its main thread alone, because a sandbox started with
``--die-with-parent`` dies with the *thread* that started it. It holds one item at a time. An item
that takes too long, or whose worker dies, is tried once more in a fresh worker and then reported as
lost. Owns: processes, time limits, retries. Must not know: what the function does.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

TRIES = 2
START_S = 60.0  # a worker may take this long to begin: spawning waits for a busy machine
STOP_S = 10.0
BEGUN = "begun"


@dataclass(frozen=True)
class Done:
    """Item number ``n``: its ``value``, or in words why there is none (``lost``)."""

    n: int
    item: Any
    value: Any = None
    lost: str = ""
    tries: int = 1


def default_jobs() -> int:
    """Processes to use: the CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def imap(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    jobs: int,
    limit_s: float,
    fatal: tuple[type[Exception], ...] = (),
) -> Iterator[Done]:
    """Yield a Done for each item as it finishes, in any order, with ``jobs`` processes.

    ``function`` and the items must pickle; one that is a context manager is entered in each worker
    and left at its end, so it can hold what is costly to make. An exception of ``function`` loses
    the item as a dead worker does, but one of the kinds ``fatal`` concerns all items and is raised
    here. Closing the iterator, or Ctrl-C, ends the workers; what was yielded stays yielded.
    """
    todo: deque[tuple[int, Any, int]] = deque((n, item, 1) for n, item in enumerate(items))
    context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks
    workers: list[Worker] = []
    try:
        while todo or workers:
            while todo and len(workers) < max(1, jobs):
                workers.append(Worker(context, function))
                workers[-1].give(*todo.popleft())
            for worker, outcome in _finished(workers, limit_s):
                n, item, tries = worker.holds
                lost = outcome if isinstance(outcome, str) else ""
                if isinstance(outcome, Failed):
                    if isinstance(outcome.error, fatal):
                        raise outcome.error
                    lost = outcome.words
                if lost:
                    workers.remove(worker)
                    worker.stop()
                elif todo:
                    worker.give(*todo.popleft())
                else:
                    workers.remove(worker)
                    worker.stop(idle=True)
                if lost and tries < TRIES:
                    todo.append((n, item, tries + 1))
                elif lost:
                    yield Done(n, item, None, lost, tries)
                else:
                    yield Done(n, item, outcome[0], "", tries)
    finally:
        for worker in workers:
            worker.stop()


def map(  # noqa: A001 - the verb of this file: scale.map
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    jobs: int | None = None,
    limit_s: float = 300.0,
    progress: Callable[[Done], None] | None = None,
) -> list[Done]:
    """All items' Dones in the order of the items; ``progress`` hears of each as it finishes."""
    found = []
    for done in imap(function, items, jobs=jobs or default_jobs(), limit_s=limit_s):
        found.append(done)
        if progress:
            progress(done)
    return sorted(found, key=lambda done: done.n)


@dataclass(frozen=True)
class Failed:
    """What crossed the pipe in place of a value: the exception of the function, and in words."""

    error: Exception
    words: str


class Worker:
    """One process and the item it holds."""

    def __init__(self, context: Any, function: Callable[[Any], Any]) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, function), daemon=False)
        self.process.start()
        theirs.close()
        self.holds: tuple[int, Any, int] | None = None  # number, item, which try
        self.until = float("inf")

    def give(self, n: int, item: Any, tries: int) -> None:
        self.holds = (n, item, tries)
        self.until = time.monotonic() + START_S
        with contextlib.suppress(OSError):  # it is dead; its closed pipe says so at the next wait
            self.pipe.send(item)

    def stop(self, idle: bool = False) -> None:
        """End the process; an idle one leaves by itself, one that does not listen is killed."""
        self.pipe.close()
        if idle:
            self.process.join(STOP_S)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join(STOP_S)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        self.process.close()


def _finished(workers: list[Worker], limit_s: float) -> list[tuple[Worker, Any]]:
    """Wait for some worker: ``(value,)``, Failed, or words that say how it was lost."""
    by_pipe = {w.pipe: w for w in workers}
    left = max(0.0, min(w.until for w in workers) - time.monotonic())
    ready = [by_pipe[p] for p in wait(list(by_pipe), timeout=min(left, 3600.0))]
    found: list[tuple[Worker, Any]] = []
    for worker in ready:
        try:
            said = worker.pipe.recv()
            if said == BEGUN:
                worker.until = time.monotonic() + limit_s
            else:
                found.append((worker, said))
        except (EOFError, OSError):
            worker.process.join(5)
            found.append((worker, f"the grading process ended (code {worker.process.exitcode})"))
    now = time.monotonic()
    late = [w for w in workers if w not in ready and w.until <= now]
    return found + [(w, "the grading process took too long and was stopped") for w in late]


def _failed(error: Exception) -> Failed:
    """The exception and its place in words; a plain one where it cannot cross a pipe."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    words = f"the grader failed: {type(error).__name__}: {error}{where}"[:2000]
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - foreign exceptions fail in ways of their own
        error = RuntimeError(words)
    return Failed(error, words)


def _work(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """The life of a worker: an item in, a value out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's; it ends us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what is held is let go
    with contextlib.ExitStack() as stack, contextlib.suppress(EOFError, OSError):
        entered = False
        while True:
            item = pipe.recv()
            pipe.send(BEGUN)
            try:
                if not entered and hasattr(function, "__exit__"):
                    stack.enter_context(function)
                entered = True
                reply: Any = (function(item),)
            except Exception as error:  # noqa: BLE001 - it is raised in the parent
                reply = _failed(error)
            pipe.send(reply)
