"""The part as it was given."""

import heapq
import itertools

FAILS = {
    "merge_alone": "merge-unmended",
    "merge_scene": "merge-still-seen",
    "merge_elsewhere": "merge-elsewhere",
}


def merge(symbols, scores):
    symbols = list(symbols)
    pairs = [a + b for a, b in itertools.pairwise(symbols)]
    heap = [(-scores[pair], at) for at, pair in enumerate(pairs) if pair in scores]
    heapq.heapify(heap)
    while heap:
        _, at = heapq.heappop(heap)
        if symbols[at] + symbols[at + 1] == pairs[at]:  # neither of them was joined meanwhile
            symbols[at], symbols[at + 1] = pairs[at], ""
    return [s for s in symbols if s]
