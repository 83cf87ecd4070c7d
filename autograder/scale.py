"""The same function over many items in several processes; no item can stop the others.

On this machine the processes of pool.py; on a Dask cluster each thread of a Dask worker has one
such process beside it and only waits for it, so that limits and losses are the same there. An item
that is lost is tried once more in a fresh process and then reported. A Dask worker that dies is
Dask's affair, which gives its item to another. Items are drawn as workers become free and are not
kept. Owns: retries, every import of Dask. Must not know: what the function does. Read before:
pool.py.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from autograder.errors import ClusterUnavailable
from autograder.pool import START_S, STOP_S, Held, Outcome, Pool, words_of

TRIES = 2
WORKERS_S = 60.0  # a cluster may take this long to have its first worker
DEATHS = 1  # of Dask workers that an item of a local cluster survives
LOCAL = "local"
# a Dask worker made here is in our process group: Ctrl-C is ours, which ends it
DEAF = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"


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
    cluster: str | None = None,
    pool: Pool | None = None,
) -> Iterator[Done]:
    """Yield a Done for each item as it finishes, in any order, with ``jobs`` processes.

    ``function`` and the items must pickle; one that is a context manager is entered in each worker
    and left at its end, so it can hold what is costly to make. An exception of ``function`` loses
    the item as a dead worker does, but one of the kinds ``fatal`` concerns all items and is raised
    here. ``cluster`` is the address of a Dask scheduler, whose workers are used then, or "local"
    for one of ``jobs`` workers made here; without it the processes may be those of a ``pool`` that
    has begun. Closing the iterator, or Ctrl-C, ends the workers; what was yielded stays yielded.
    ClusterUnavailable where the cluster is not there or is lost.
    """
    fresh = ((n, item, 1) for n, item in enumerate(items))
    again: deque[Held] = deque()
    finished: list[Done] = []
    if cluster:
        pool = Cluster(function, cluster, jobs, limit_s)
    pool = pool or Pool(jobs, limit_s)
    pool.function = function
    try:
        while True:
            while pool.room and (held := next(fresh, None) or (again and again.popleft())):
                pool.give(held)
            yield from finished  # after the workers have got the next ones
            if not pool.n_held:
                return
            finished = []
            for (n, item, tries), outcome in pool.finished():
                if isinstance(outcome.error, fatal):
                    raise outcome.error
                if outcome.lost and tries < TRIES and not outcome.final:
                    again.append((n, item, tries + 1))
                else:
                    finished.append(Done(n, item, outcome.value, outcome.lost, tries))
    finally:
        pool.close()


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


class Cluster:
    """The processes of a Dask cluster, one beside each thread of its workers."""

    def __init__(
        self, function: Callable[[Any], Any], address: str, jobs: int, limit_s: float
    ) -> None:
        try:
            import dask
            from distributed import Client, LocalCluster, as_completed
        except ImportError as error:
            raise ClusterUnavailable(
                f"{error.name} is missing: pip install 'minengine[cluster]'"
            ) from None
        self._function, self._limit_s, self._run = function, limit_s, uuid.uuid4().hex
        self._held: dict[str, tuple[Held, Any]] = {}  # key -> what it is, its future
        self._looked = float("-inf")
        self._own, self._client = None, None
        try:
            if address == LOCAL:
                with dask.config.set({"distributed.scheduler.allowed-failures": DEATHS}):
                    self._own = LocalCluster(
                        n_workers=jobs, threads_per_worker=1, dashboard_address="127.0.0.1:0",
                        silence_logs=logging.CRITICAL, preload=[DEAF],
                    )  # fmt: skip
            self._client = Client(self._own or address, timeout=START_S)
            self._client.wait_for_workers(1, timeout=WORKERS_S)
        except (OSError, TimeoutError, ValueError, RuntimeError) as error:
            self.close()
            raise ClusterUnavailable(
                f"no workers at {address}: {error}. Start some: dask scheduler, and on each "
                "machine dask worker ADDRESS --nworkers N --nthreads 1"
            ) from None
        except BaseException:
            self.close()
            raise
        self._completed = as_completed(loop=self._client.loop)

    @property
    def room(self) -> bool:
        """One item a thread: one that waits behind another would share the blame for its end."""
        if time.monotonic() > self._looked + 1.0:  # workers come and go
            self._n_threads = sum(self._client.nthreads().values())
            self._looked = time.monotonic()
        return len(self._held) < max(1, self._n_threads)

    @property
    def n_held(self) -> int:
        return len(self._held)

    def give(self, held: Held) -> None:
        """Hand an item to the scheduler."""
        n, item, tries = held
        key = f"grade-{self._run}-{n}-{tries}"
        job = (self._function, self._run, item, self._limit_s)
        future = self._client.submit(beside, *job, key=key, pure=False)
        self._held[key] = held, future
        self._completed.add(future)

    def finished(self) -> list[tuple[Held, Outcome]]:
        """Wait for some item; what became of it, once or several."""
        found = []
        for future in self._completed.next_batch():
            found.append((self._held.pop(future.key)[0], self._outcome(future)))
            future.release()
        return found

    def _outcome(self, future: Any) -> Outcome:
        if future.status == "finished":
            return future.result()
        if future.status != "error":
            raise ClusterUnavailable(
                "the connection to the scheduler was lost; what is finished is kept, the same "
                "command goes on from there"
            )
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            return Outcome(lost="the machines that worked on it died", final=True)
        return Outcome(lost=words_of(error), error=error)

    def close(self) -> None:
        """Take back what is not done, end the processes beside the workers, and what is ours."""
        if self._client is not None:
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                self._client.cancel([future for _, future in self._held.values()], force=True)
                if self._client.status == "running":
                    self._client.run(let_go, self._run, on_error="ignore")
            self._client.close(timeout=STOP_S)
        if self._own is not None:
            self._own.close(timeout=STOP_S)


def beside(function: Callable[[Any], Any], run: str, item: Any, limit_s: float) -> Outcome:
    """On a thread of a Dask worker: one item in the process that this thread has beside it."""
    from distributed import get_worker

    pools = get_worker().__dict__.setdefault("autograder", {})  # thread -> (run, Pool)
    thread = threading.get_ident()
    if thread in pools and pools[thread][0] != run:  # of a grader that was killed
        pools.pop(thread)[1].close()
    pool = pools.setdefault(thread, (run, Pool(1, limit_s, function)))[1]
    pool.give((0, item, 1))
    while True:
        for _, outcome in pool.finished():
            return outcome


def let_go(run: str, dask_worker: Any = None) -> None:
    """On a Dask worker: end the processes that a run had there."""
    for owner, pool in list(dask_worker.__dict__.get("autograder", {}).values()):
        if owner == run:
            pool.kill()
