"""Whole texts through the network, to be scored or pooled: nothing is sampled, nothing stays.

Owns: which tokens of which texts share a pass. Must not know: weights, what the rows are used for.
Read before: ``kvcache.py``, ``batch.py``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from minengine.batch import Batch
from minengine.kvcache import BlockPool


@dataclass
class _Text:
    """A text under way."""

    number: int
    ids: list[int]
    n_read: int = 0  # tokens whose keys and values are in the cache
    table: list[int] = field(default_factory=list)


def read(
    texts: Iterable[list[int]],
    pool: BlockPool,
    compute: Callable[[Batch], np.ndarray],
    *,
    n_batch: int,
    first: int = 0,
) -> Iterator[tuple[int, np.ndarray]]:
    """(which text, its next rows) of every pass: those that ``compute`` makes of tokens ``first``
    and later.

    Texts come in their order, as many in a pass as ``n_batch`` tokens and the free blocks hold, and
    their blocks are free again at their end. Errors: ``OutOfBlocks`` where the pool has no room for
    the next piece even alone; whatever happens, no block stays held.
    """
    waiting = deque(_Text(i, ids) for i, ids in enumerate(texts) if ids)
    try:
        while waiting:
            pieces = _pieces(waiting, pool, n_batch)
            numbers = [text.number for text, _ in zip(waiting, pieces, strict=False)]
            batch = Batch.of(pieces, pool.block_size, all_logits=True)
            wanted = batch.positions >= first
            rows = compute(replace(batch, rows=np.flatnonzero(wanted).astype(np.int32)))
            while waiting and waiting[0].n_read == len(waiting[0].ids):
                pool.free(waiting.popleft().table)
            ends = np.cumsum(np.bincount(batch.sequences[wanted], minlength=len(pieces)))
            for number, part in zip(numbers, np.split(rows, ends[:-1]), strict=True):
                if len(part):
                    yield number, part
    finally:
        for text in waiting:
            pool.free(text.table)


def _pieces(waiting: Iterable[_Text], pool: BlockPool, n_batch: int) -> list[tuple]:
    """What ``Batch.of`` takes: the next tokens of the first texts, their blocks allocated."""
    pieces, room = [], n_batch
    for text in waiting:
        n = min(len(text.ids) - text.n_read, room)
        new = pool.blocks_for(text.n_read + n) - len(text.table)
        if pieces and (n == 0 or new > pool.n_free):
            break
        pool.writable(text.table, text.n_read, n)
        pieces.append((text.ids[text.n_read : text.n_read + n], text.n_read, text.table))
        text.n_read, room = text.n_read + n, room - n
    return pieces
