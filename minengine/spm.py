"""SentencePiece merging, exactly as llama.cpp's tokenizer model "llama" does it.

Owns: the merge. Must not know: special tokens, files, the network. Source: SentencePiece (Kudo and
Richardson 2018), section 3.2, in the form GGUF files and llama.cpp give it.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence


def characters(text: bytes) -> list[int]:
    """Where characters begin, by first byte alone as llama.cpp does: 0xxx and 10xx are one byte,
    110x two, and so on.
    """
    starts, at = [], 0
    while at < len(text):
        starts.append(at)
        first = text[at]
        at += 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
    return starts


def encode(
    text: bytes, ids: Mapping[bytes, int], scores: Sequence[float], byte_ids: Sequence[int | None]
) -> list[int]:
    """SentencePiece merging: join the adjacent pair whose union is the token of highest score,
    leftmost first.

    Begins with characters and ends when no two neighbours make a token. A character that is no
    token becomes its bytes. Pairs wait in a heap; one that a merge has overtaken is recognised by
    its size and dropped. O(n log n).
    """
    start = characters(text)
    n = len(start)
    end = [
        *start[1:],
        len(text),
    ]  # of the symbol that begins at this character; 0 once it is merged away
    left, right = list(range(-1, n - 1)), [*range(1, n), -1]
    heap: list[
        tuple[float, int, int, int]
    ] = []  # (-score, symbol, right neighbour, end of the union)

    def offer(a: int, b: int) -> None:
        if a >= 0 and b >= 0 and (i := ids.get(text[start[a] : end[b]])) is not None:
            heapq.heappush(heap, (-scores[i], a, b, end[b]))

    for a in range(n - 1):
        offer(a, a + 1)
    while heap:
        _, a, b, union_end = heapq.heappop(heap)
        if end[a] != start[b] or end[b] != union_end:
            continue
        end[a], end[b] = end[b], 0
        right[a] = right[b]
        if right[b] >= 0:
            left[right[b]] = a
        offer(left[a], a)
        offer(a, right[a])
    out: list[int] = []
    a = 0 if n else -1
    while a >= 0:
        symbol = text[start[a] : end[a]]
        if (i := ids.get(symbol)) is not None:
            out.append(i)
        else:
            out += [j for b in symbol if (j := byte_ids[b]) is not None]
        a = right[a]
    return out
