"""What the cache gives up: blocks that nobody holds, and tokens of sequences that are too long.

Owns: EVICTION and TOKEN_EVICTION, a policy a row. Must not know: memory, tables, texts. Read after:
``kvcache.py``, ``cells.py``.

Of blocks: a policy keeps the blocks that are findable and held by nobody. ``add`` takes one in when
its last holder lets go, with when it was published (a counter) and how often it was found;
``discard`` takes it out when somebody holds it again; ``pop`` gives up the next. Every call is
O(log n) or better. Of tokens: see TokenEviction.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


class Lru:
    """The block that was let go longest ago."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._blocks)

    def __contains__(self, block: int) -> bool:
        return block in self._blocks

    def add(self, block: int, published: int, n_found: int) -> None:
        self._blocks[block] = None

    def discard(self, block: int) -> None:
        self._blocks.pop(block, None)

    def pop(self) -> int:
        return self._blocks.popitem(last=False)[0]


class Smallest:
    """The block of the smallest key; of equal ones the one that was let go longest ago.

    A heap: what is discarded stays in it until it comes up, and is recognised by its number.
    """

    def __init__(self, key: Callable[[int, int], int]) -> None:
        self._key = key
        self._heap: list[tuple[int, int, int]] = []  # key, number, block
        self._numbers: dict[int, int] = {}
        self._n_added = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, block: int) -> bool:
        return block in self._numbers

    def add(self, block: int, published: int, n_found: int) -> None:
        self._n_added += 1
        self._numbers[block] = self._n_added
        heapq.heappush(self._heap, (self._key(published, n_found), self._n_added, block))

    def discard(self, block: int) -> None:
        self._numbers.pop(block, None)
        if len(self._heap) > 2 * len(self._numbers) + 64:
            self._heap = [e for e in self._heap if self._numbers.get(e[2]) == e[1]]
            heapq.heapify(self._heap)

    def pop(self) -> int:
        while True:
            _, number, block = heapq.heappop(self._heap)
            if self._numbers.get(block) == number:
                del self._numbers[block]
                return block


EVICTION: dict[str, Callable[[], Lru | Smallest]] = {
    "lru": Lru,
    "fifo": lambda: Smallest(lambda published, n_found: published),
    "lfu": lambda: Smallest(lambda published, n_found: n_found),
}


@dataclass(frozen=True)
class TokenEviction:
    """Which stored tokens of a long sequence stay when it has too many.

    ``keep(n, n_kept, n_sinks, mass)`` -> the indices of the n_kept of n tokens that stay,
    increasing. ``closes_ranks``: what stays moves to positions 0, 1, 2, ...; the others keep theirs
    until the model knows no higher ones. ``needs_mass``: the attention each token got is counted.
    """

    name: str
    keep: Callable[[int, int, int, np.ndarray | None], np.ndarray]
    closes_ranks: bool = False
    needs_mass: bool = False


def last(n: int, n_kept: int, n_sinks: int, mass: np.ndarray | None) -> np.ndarray:
    """The last n_kept tokens: a sliding window (Beltagy et al. 2020, "Longformer")."""
    return np.arange(n - n_kept, n)


def sinks_and_last(n: int, n_kept: int, n_sinks: int, mass: np.ndarray | None) -> np.ndarray:
    """The first n_sinks tokens, which softmax leans on, and the last ones.

    Xiao et al. 2023, "Efficient Streaming Language Models with Attention Sinks", section 3.2.
    """
    n_sinks = min(n_sinks, n_kept)
    return np.concatenate([np.arange(n_sinks), np.arange(n - n_kept + n_sinks, n)])


def heavy_and_last(n: int, n_kept: int, n_sinks: int, mass: np.ndarray | None) -> np.ndarray:
    """The last half, and of the others those that got the most attention so far; of equal ones the
    earlier.

    Zhang et al. 2023, "H2O: Heavy-Hitter Oracle", algorithm 1, with one choice for all layers and
    heads: a block of the cache holds a token in all of them.
    """
    n_last = n_kept // 2
    heavy = np.argsort(-mass[: n - n_last], kind="stable")[: n_kept - n_last]
    return np.concatenate([np.sort(heavy), np.arange(n - n_last, n)])


TOKEN_EVICTION = {
    row.name: row
    for row in (
        TokenEviction("window", last),
        TokenEviction("sinks", sinks_and_last, closes_ranks=True),
        TokenEviction("h2o", heavy_and_last, needs_mass=True),
    )
}
