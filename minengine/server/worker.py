"""The thread that runs the engine, for many requests at once.

Owns: who is under way, what becomes of a sequence's tokens, who is told. Must not know: HTTP, JSON.
Read before: ``engine.py``, ``scheduler.py``, ``jobs.py``.

An engine serves one thread. So there is one, and what others want of it comes through its inbox as
functions, which it calls between two passes: begin this job, drop that one. Every pass moves all
sequences on (continuous batching), and what each of them says goes to its job's ``tell`` at once.
What takes longer than a pass, such as reading many texts, comes as a generator: a step of it, then
a pass of the others.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, InvalidStateError
from typing import Any

from minengine.engine import Engine
from minengine.errors import EngineError, OutOfBlocks, RequestError
from minengine.sequence import Sequence
from minengine.server.jobs import Choice, Failed, Job, Piece, Recorder
from minengine.stops import Stops

Walk = Generator[bool, None, Any]  # see Worker.call


class Busy(RequestError):
    """As many requests wait as may; come again."""


class Closing(EngineError):
    """The server is being stopped."""


class Broken(EngineError):
    """The engine failed, and everybody's answer with it."""


class Worker:
    """Runs ``engine`` in a thread of its own from now until ``stop``.

    ``n_waiting`` is how many jobs and calls may be under way or wait; one more is ``Busy``. Under a
    fair queue a quarter of these places is kept for users who have none.
    """

    def __init__(self, engine: Engine, *, n_waiting: int = 64) -> None:
        self.engine, self.n_waiting = engine, n_waiting
        fair = engine.scheduler.queue == "fair"
        self.n_each = n_waiting - (n_waiting // 4 if fair else 0)
        self.served = dict.fromkeys(("prompt", "cached", "generated", "embedded"), 0)  # tokens
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._jobs: set[Job] = set()  # of which some have not begun
        self._calls: set[Future] = set()
        self._walks: deque[tuple[Future, Walk]] = deque()  # calls under way, who is next first
        self._under_way: dict[Sequence, tuple[Job, Choice]] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def n_jobs(self) -> int:
        """Jobs and calls under way or waiting."""
        return len(self._jobs) + len(self._calls)

    def health(self) -> dict[str, Any]:
        """What the engine is at, in numbers; for any thread, so they may be a pass old."""
        pool, jobs = self.engine.pool, list(self._jobs)
        running = set(map(id, self.engine.scheduler.running))
        n_running = sum(any(id(c.sequence) in running for c in job.choices) for job in jobs)
        n_running += len(self._walks)
        return {
            "requests": {"running": n_running, "waiting": max(0, self.n_jobs - n_running)},
            "blocks": {
                "used": pool.n_used, "free": pool.n_free, "findable": pool.n_cached,
                "tokens_each": pool.block_size,
            },
            "tokens": dict(self.served),
        }  # fmt: skip

    def job(
        self,
        ids: list[int],
        tell: Callable[[Piece | Failed], None],
        *,
        n: int = 1,
        first_index: int = 0,
        stops: tuple[str, ...] = (),
        n_top: int | None = None,
        seed: int | None = None,
        **options: Any,
    ) -> Job:
        """A checked job, not begun: ``n`` answers to a prompt, each with a seed of its own.

        ``n_top`` not None notes log-probabilities. Options and errors are those of
        ``Engine.sequence``.
        """
        choices = []
        for k in range(n):
            own_seed = None if seed is None else seed + k
            sequence = self.engine.sequence(ids, seed=own_seed, **options)
            if n_top is not None:
                sequence.chain = Recorder(sequence.chain, n_top)
            stream = self.engine.tokenizer.stream()
            choices.append(
                Choice(first_index + k, sequence, stream, Stops(stops), sequence.n_prompt)
            )
        return Job(choices, tell)

    def room(self, n: int = 1, user: str | None = None) -> None:
        """See that n places are free, for this user if one is named. Errors: ``Busy``,
        ``Closing``.
        """
        if self._closing:
            raise Closing("the server is being stopped")
        if self.n_jobs + n > self.n_waiting:
            raise Busy(f"{self.n_jobs} requests wait, want at most {self.n_waiting}")
        theirs = 0 if user is None else sum(job.user == user for job in list(self._jobs))
        if theirs and theirs + n > self.n_each:
            raise Busy(f"{theirs} requests of user {user!r} wait, want at most {self.n_each}")

    def begin(self, jobs: list[Job]) -> None:
        """Begin jobs of one user, all or none. Errors: those of ``room``."""
        with self._lock:
            self.room(len(jobs), jobs[0].user if jobs else None)
            self._jobs.update(jobs)
        for job in jobs:
            self._inbox.put(lambda job=job: self._begin(job))

    def drop(self, job: Job) -> None:
        """Nobody listens any more: forget a job, finished or not, and free its blocks."""
        self._inbox.put(lambda: self._forget(job))

    def call(self, function: Callable[[Engine], Any]) -> Future:
        """Run a function on the engine between two passes, while others wait.

        A generator function is run in steps, one between any two passes, so that nobody waits long;
        the result is what it returns. Several take turns: a step that yields True is followed by
        the next of the same one (it holds blocks). A future that is cancelled ends it. Errors: the
        future's are the function's own, and ``Closing``.
        """
        future: Future = Future()
        with self._lock:
            if self._closing:
                future.set_exception(Closing("the server is being stopped"))
                return future
            self._calls.add(future)
        future.add_done_callback(self._calls.discard)
        self._inbox.put(lambda: self._call(future, function))
        return future

    def stop(self) -> None:
        """End every job and call with ``Closing``; returns at once, ``join`` waits."""
        with self._lock:
            self._closing = True
        self._inbox.put(None)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            try:
                # with nothing to compute it sleeps until something comes
                if not self._inbox.empty() or not (self._under_way or self._walks):
                    if wanted := self._inbox.get():
                        wanted()
                    continue
                if self._under_way:
                    self._step()
                if self._walks:
                    self._walk()
            except Exception as e:  # whatever broke, nobody may wait for ever
                logging.getLogger(__name__).exception("the engine failed")
                self._fail_all(Broken(f"{type(e).__name__}: {e}"))
        closing = Closing("the server is being stopped")
        self._fail_all(closing)
        for _, walk in self._walks:
            walk.close()
        for future in list(self._calls):
            settle(future, error=closing)

    def _call(self, future: Future, function: Callable[[Engine], Any]) -> None:
        if future.cancelled():
            return
        try:
            result = function(self.engine)
        except Exception as e:  # noqa: BLE001 - it is raised where the result is asked for
            settle(future, error=e)
            return
        if inspect.isgenerator(result):
            self._walks.append((future, result))
        else:
            settle(future, result)

    def _walk(self) -> None:
        """A step of the call whose turn it is."""
        future, walk = self._walks.popleft()
        if future.cancelled():
            walk.close()
            return
        try:
            holds = next(walk)
        except StopIteration as e:
            settle(future, e.value)
        except Exception as e:  # noqa: BLE001 - as in _call
            settle(future, error=e)
        else:
            (self._walks.appendleft if holds else self._walks.append)((future, walk))

    def _begin(self, job: Job) -> None:
        if job in self._jobs:
            self._add(job, job.choices[:1])

    def _add(self, job: Job, choices: list[Choice]) -> None:
        try:
            for choice in choices:
                self.engine.scheduler.add(choice.sequence)
                self._under_way[choice.sequence] = (job, choice)
        except EngineError as e:
            self._fail(job, e)

    def _step(self) -> None:
        """One pass, and what everybody says after it."""
        scheduler = self.engine.scheduler
        try:
            moved = self.engine.step()
        except OutOfBlocks as e:
            # the first can't go on even alone, so it never will
            self._fail(self._under_way[(scheduler.running or scheduler.waiting)[0]][0], e)
            return
        for sequence in moved:
            if sequence in self._under_way:
                self._say(*self._under_way[sequence])

    def _say(self, job: Job, choice: Choice) -> None:
        sequence, n_read = choice.sequence, choice.n_read
        if sequence.error is not None:
            self._fail(job, sequence.error)
            return
        piece = choice.read()
        self.served["generated"] += choice.n_read - n_read
        if choice is job.choices[0] and n_read == sequence.n_prompt:
            job.n_cached = sequence.n_found
            self.served["prompt"] += job.n_prompt
            self.served["cached"] += job.n_cached
            # the others find the prompt that this one has computed in the cache
            self._add(job, job.choices[1:])
        if piece.reason:
            self.engine.scheduler.remove(sequence)
            del self._under_way[sequence]
            if not any(c.sequence in self._under_way for c in job.choices):
                self._jobs.discard(job)
        if piece.text or piece.entries or piece.reason:
            job.tell(piece)

    def _fail_all(self, error: Exception) -> None:
        for job in list(self._jobs):
            self._fail(job, error)

    def _fail(self, job: Job, error: Exception) -> None:
        self._forget(job)
        job.tell(Failed(error))

    def _forget(self, job: Job) -> None:
        for choice in job.choices:
            if self._under_way.pop(choice.sequence, None):
                self.engine.scheduler.remove(choice.sequence)
        self._jobs.discard(job)


def settle(future: Future, result: Any = None, error: Exception | None = None) -> None:
    """Give a future its end, unless whoever waited for it has gone."""
    with contextlib.suppress(InvalidStateError):
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
