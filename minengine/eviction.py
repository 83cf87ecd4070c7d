"""Which cached block goes first: the order in which blocks that nobody holds are given up.

Owns: EVICTION, a policy a row. Must not know: memory, tables, tokens. Read after: ``kvcache.py``.

A policy keeps the blocks that are findable and held by nobody. ``add`` takes one in when its last
holder lets go, with when it was published (a counter) and how often it was found; ``discard`` takes
it out when somebody holds it again; ``pop`` gives up the next. Every call is O(log n) or better.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable


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
