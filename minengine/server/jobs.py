"""A job: one prompt, its answers as they come, and what is told of them.

Owns: from a sequence's tokens to text that may be said, log-probabilities beside it. Must not know:
threads, HTTP, JSON. Read before: ``sequence.py``, ``stops.py``, ``tokenizer.py`` (Stream).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minengine.perplexity import log_softmax
from minengine.sampling import Chain
from minengine.sequence import Sequence
from minengine.stops import Stops
from minengine.tokenizer import Stream


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
    def user(self) -> str:
        return self.choices[0].sequence.user

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
    x = log_softmax(logits)
    top = np.argpartition(-x, min(n_top, len(x)) - 1)[:n_top] if n_top else []
    return float(x[token]), tuple((int(i), float(x[i])) for i in sorted(top, key=lambda i: -x[i]))
