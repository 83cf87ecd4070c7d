"""How the symbols of a text become tokens.

``symbols`` is a text cut into characters (a space is U+2581), ``scores`` what each token of the
vocabulary is worth: the score that SentencePiece gave it, the higher the sooner it is made.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping, Sequence


def merge(symbols: Sequence[str], scores: Mapping[str, float]) -> list[str]:
    """Join neighbours that make a token: those of the highest score first, then leftmost."""
    symbols = list(symbols)
    pairs = [a + b for a, b in itertools.pairwise(symbols)]
    heap = [(-scores[pair], at) for at, pair in enumerate(pairs) if pair in scores]
    heapq.heapify(heap)
    while heap:
        _, at = heapq.heappop(heap)
        if symbols[at] + symbols[at + 1] == pairs[at]:  # neither of them was joined meanwhile
            symbols[at], symbols[at + 1] = pairs[at], ""
    return [s for s in symbols if s]
