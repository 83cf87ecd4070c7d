"""The thread that runs the engine, for many requests at once.

Owns: who is under way, what becomes of a sequence's tokens, who is told. Must not know: HTTP, JSON.
Read before: ``engine.py``, ``scheduler.py``, ``stops.py``.

An engine serves one thread. So there is one, and what others want of it comes through its inbox as
functions, which it calls between two passes: begin this job, drop that one. Every pass moves all
sequences on (continuous batching), and what each of them says goes to its job's ``tell`` at once.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minengine.engine import Engine
from minengine.errors import EngineError, OutOfBlocks, RequestError
from minengine.sampling import Chain
from minengine.scheduler import Sequence
from minengine.stops import Stops
from minengine.tokenizer import Stream


class Busy(RequestError):
    """As many requests wait as may; come again."""


class Closing(EngineError):
    """The server is being stopped."""


class Broken(EngineError):
    """The engine failed, and everybody's answer with it."""


@dataclass(frozen=True)
class Entry:
    """A token with its log-probability and those of the likeliest ones, [(token, ln p)].

    Of the network's distribution, before any sampler. ``offset`` is where its text begins in that
    of the answer, in characters.
    """

    token: int
    logprob: float | None
    top: tuple[tuple[int, float], ...]
    offset: int = 0


@dataclass(frozen=True)
class Piece:
    """What a choice said since the last piece; ``reason`` says that it is the last one, and why."""

    index: int
    text: str
    entries: tuple[Entry, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class Failed:
    """The job is over, and this is why."""

    error: Exception


@dataclass(eq=False)
class Choice:
    """One answer as it comes: from tokens to text that may be said."""

    index: int
    sequence: Sequence
    stream: Stream
    stops: Stops
    n_read: int = 0  # of the sequence's tokens
    n_decoded: int = 0  # characters, of which n_said were said
    n_said: int = 0
    entries: list[Entry] = field(default_factory=list)  # whose text was not said yet

    def read(self) -> Piece:
        """What the sequence's new tokens say."""
        sequence, text = self.sequence, ""
        for token in sequence.tokens[self.n_read :]:
            offset = self.n_decoded + len(text)
            text += self.stream.push(token)
            if isinstance(sequence.chain, Recorder):
                self.entries.append(sequence.chain.entry(self.n_read - sequence.n_prompt, offset))
            self.n_read += 1
        text += self.stream.flush() if sequence.reason else ""
        self.n_decoded += len(text)
        said = self.stops.push(text)
        reason = "stop" if self.stops.found is not None else sequence.reason
        if reason and reason != "stop":
            said += self.stops.flush()
        self.n_said += len(said)
        everything = bool(reason) and reason != "stop"
        ready = [e for e in self.entries if everything or e.offset < self.n_said]
        self.entries = self.entries[len(ready) :]
        return Piece(self.index, said, tuple(ready), reason)


@dataclass(eq=False)
class Job:
    """One prompt and its answers. ``tell`` is called from the engine's thread with every ``Piece``
    and, where it comes to that, one ``Failed``.
    """

    choices: list[Choice]
    tell: Callable[[Piece | Failed], None]
    n_cached: int = 0  # tokens of the prompt that the cache had

    @property
    def n_prompt(self) -> int:
        return self.choices[0].sequence.n_prompt

    @property
    def n_tokens(self) -> int:
        """Tokens generated so far."""
        return sum(len(c.sequence.tokens) - c.sequence.n_prompt for c in self.choices)


class Recorder:
    """A chain that notes the log-probabilities of what it draws and of the ``n_top`` likeliest."""

    def __init__(self, chain: Chain, n_top: int) -> None:
        self._chain, self.n_top = chain, n_top
        self._rows: list[tuple[int, float, tuple[tuple[int, float], ...]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def sample(self, logits: np.ndarray) -> int:
        token = self._chain.sample(logits)
        self._rows.append((token, *likeliest(logits, token, self.n_top)))
        return token

    def entry(self, n: int, offset: int) -> Entry:
        """That of the n-th token drawn."""
        return Entry(*self._rows[n], offset)


def likeliest(
    logits: np.ndarray, token: int, n_top: int
) -> tuple[float, tuple[tuple[int, float], ...]]:
    """``ln softmax(logits)`` of a token, and [(token, ln p)] of the ``n_top`` likeliest."""
    x = logits.astype(np.float64)
    x -= x.max()
    x -= np.log(np.exp(x).sum())
    top = np.argpartition(-x, min(n_top, len(x)) - 1)[:n_top] if n_top else []
    return float(x[token]), tuple((int(i), float(x[i])) for i in sorted(top, key=lambda i: -x[i]))


class Worker:
    """Runs ``engine`` in a thread of its own from now until ``stop``.

    ``n_waiting`` is how many jobs may be under way or wait; one more is ``Busy``.
    """

    def __init__(self, engine: Engine, *, n_waiting: int = 64) -> None:
        self.engine, self.n_waiting = engine, n_waiting
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._jobs: set[Job] = set()  # of which some have not begun
        self._under_way: dict[Sequence, tuple[Job, Choice]] = {}
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    @property
    def n_jobs(self) -> int:
        return len(self._jobs)

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

    def begin(self, jobs: list[Job]) -> None:
        """Begin jobs, all or none. Errors: ``Busy``, ``Closing``."""
        with self._lock:
            if self._closing:
                raise Closing("the server is being stopped")
            if len(self._jobs) + len(jobs) > self.n_waiting:
                raise Busy(f"{len(self._jobs)} requests wait, want at most {self.n_waiting}")
            self._jobs.update(jobs)
        for job in jobs:
            self._inbox.put(lambda job=job: self._begin(job))

    def drop(self, job: Job) -> None:
        """Nobody listens any more: forget a job, finished or not, and free its blocks."""
        self._inbox.put(lambda: self._forget(job))

    def call(self, function: Callable[[Engine], Any]) -> Future:
        """Run a function on the engine between two passes; others wait for it."""
        future: Future = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(self.engine))
                except Exception as e:  # noqa: BLE001 - it is raised where the result is asked for
                    future.set_exception(e)

        self._inbox.put(run)
        return future

    def stop(self) -> None:
        """End every job with ``Closing``; returns at once, ``join`` waits."""
        with self._lock:
            self._closing = True
        self._inbox.put(None)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        while not self._closing:
            try:
                # with nothing to compute it sleeps until something comes
                if self._inbox.empty() and self._under_way:
                    self._step()
                elif wanted := self._inbox.get():
                    wanted()
            except Exception as e:  # whatever broke, nobody may wait for ever
                logging.getLogger(__name__).exception("the engine failed")
                self._fail_all(Broken(f"{type(e).__name__}: {e}"))
        self._fail_all(Closing("the server is being stopped"))

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
        is_first = choice is job.choices[0] and choice.n_read == choice.sequence.n_prompt
        piece = choice.read()
        if is_first:
            job.n_cached = choice.sequence.n_found
            # the others find the prompt that this one has computed in the cache
            self._add(job, job.choices[1:])
        if piece.reason:
            self.engine.scheduler.remove(choice.sequence)
            del self._under_way[choice.sequence]
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
