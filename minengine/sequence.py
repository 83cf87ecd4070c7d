"""A sequence: the tokens of one request, and what of them is in the cache.

Owns: when a sequence is finished, how many cells it may have and what it forgets then. Must not
know: other sequences, weights, text. Read before: ``cells.py``, ``eviction.py`` (TOKEN_EVICTION).
"""

from __future__ import annotations

from collections.abc import Sequence as Ids
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from minengine.cells import Cells, Turn
from minengine.errors import RequestError
from minengine.eviction import TokenEviction
from minengine.sampling import Chain


@dataclass(frozen=True)
class Budget:
    """At most ``n_cells`` stored tokens: then the policy says which of them stay.

    ``n_dropped`` go at once, so that this is seldom. ``turn`` moves keys to other positions, which
    must stay below ``context``, the most positions that the model knows.
    """

    policy: TokenEviction
    n_cells: int
    n_sinks: int
    n_dropped: int
    context: int
    turn: Turn

    def numbers(self) -> dict[str, str | int]:
        """The options of ``Engine.sequence`` that it was made from."""
        return {"name": self.policy.name, "n_cells": self.n_cells, "n_sinks": self.n_sinks}

    def make_room(self, cells: Cells) -> None:
        """Forget as the policy says. OutOfBlocks where shared blocks can't be copied."""
        n_kept, last = self.n_cells - self.n_dropped, cells.next_position
        closes = self.policy.closes_ranks or last + self.n_dropped > self.context
        cells.keep(self.policy.keep(cells.n, n_kept, self.n_sinks, cells.mass), alone=closes)
        if closes:
            cells.close_ranks(self.turn)


class Drafter(Protocol):
    """Anything that guesses what follows a text; see ``speculation.py``."""

    def propose(self, tokens: Ids[int]) -> list[int]:
        """Guesses of what follows the tokens; none is fine."""


@dataclass(eq=False)
class Sequence:
    """The tokens of one request, prompt and answer, and where their keys and values lie.

    ``limit`` is the most tokens it may ever have. It is finished once ``reason`` says why: "end"
    (the model ended it), "length" (``limit`` is ``max_tokens`` after the prompt), "context" (the
    context is full), "closed", or "failed", of what is in ``error``. ``draft`` are guesses of the
    next tokens, to be checked in one pass (``speculation.py``).
    """

    tokens: list[int]
    chain: Chain
    limit: int
    limit_reason: str = "length"
    budget: Budget | None = None  # of cells; None: every token stays
    user: str = ""  # whom a fair queue counts it for
    drafter: Drafter | None = None
    n_prompt: int = 0
    n_cached: int = 0  # tokens that the network has seen
    n_preempted: int = 0
    n_found: int = 0  # tokens whose keys and values were in the cache when it was admitted
    n_drafted: int = 0  # guesses that were checked, and of them
    n_accepted: int = 0  # those that were right
    cells: Cells | None = None
    draft: list[int] = field(default_factory=list)
    keeps_cells: bool = False  # after its end, until ``Memory.release``
    pinned: bool = False  # its cells can't be computed again from its tokens
    reason: str = ""
    error: RequestError | None = None

    def __post_init__(self) -> None:
        self.n_prompt = len(self.tokens)
        if not self.tokens:
            raise RequestError("a sequence of no tokens: there is nothing to continue")

    @property
    def table(self) -> list[int]:
        """Its blocks, in order."""
        return self.cells.table if self.cells else []

    @property
    def n_left(self) -> int:
        """Tokens the network has not seen: the rest of the prompt, or 1 in decoding."""
        return len(self.tokens) - self.n_cached

    def n_cells_for(self, n_tokens: int) -> int:
        """The most cells it has at once when it has so many tokens."""
        return n_tokens if self.budget is None else min(n_tokens, self.budget.n_cells)

    def most_now(self, n: int) -> int:
        """How many of its next n tokens may go into one pass: those before it must forget."""
        if self.budget is None:
            return n
        stored = self.cells.n if self.cells else 0
        left = self.budget.n_cells - stored
        return min(n, left or self.budget.n_dropped)

    def append(self, token: int, ends: set[int] | frozenset[int] = frozenset()) -> None:
        """Take a sampled token; one of ``ends`` finishes the sequence and is no part of it."""
        if token in ends:
            self.reason = "end"
            return
        self.tokens.append(token)
        if len(self.tokens) >= self.limit:
            self.reason = self.limit_reason

    def saw(self, n: int, mass: np.ndarray | None = None) -> None:
        """The network has seen n more of its tokens; ``mass`` (n, keys) is what they looked at."""
        self.cells.wrote(n)
        self.n_cached += n
        if mass is not None:
            for row in mass[:n]:  # one by one, so that any chunks give the same sums
                self.cells.mass += row[: self.cells.n]
