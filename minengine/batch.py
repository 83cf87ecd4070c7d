"""What a forward pass is asked to do: tokens, where their keys and values go, what each may see.

Owns: Piece and Batch. Must not know: models, kernels, who asked. Read before: `kvcache.py` (blocks
and tables); read after: `graph.pyx`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from minengine.errors import RequestError


class Piece(NamedTuple):
    """What one sequence puts into a batch: tokens, how many of its tokens are in the cache already,
    its block table.

    ``positions`` are those of its stored tokens where they are not 0, 1, 2, ...; logits are wanted
    of the last ``n_rows`` tokens.
    """

    tokens: Sequence[int]
    start: int
    table: Sequence[int]
    positions: np.ndarray | None = None
    n_rows: int = 1


@dataclass(frozen=True, eq=False)
class Batch:
    """T tokens of N sequences to compute in one pass; all arrays int32.

    A sequence's tokens may come in any number of pieces; keys and values of earlier tokens are in
    the cache.
    """

    tokens: np.ndarray  # (T,)
    positions: np.ndarray  # (T,) in its sequence: the angle of its rotation
    slots: np.ndarray  # (T,) where its key and value go: block * B + offset
    sequences: np.ndarray  # (T,) which row of block_tables is its sequence's
    block_tables: np.ndarray  # (N, M), -1 where a sequence has no further block
    lengths: np.ndarray  # (T,) how many keys of its sequence it sees, its own included
    rows: np.ndarray  # (R,) the tokens whose logits are wanted
    # where positions have holes: of each sequence, the positions of its stored keys, increasing
    key_positions: tuple[np.ndarray, ...] | None = None

    def starts(self, window: int) -> np.ndarray:
        """The first key that each token sees through a window of so many positions: int32 (T,)."""
        least = np.maximum(self.positions - (window - 1), 0)
        if self.key_positions is None:
            return least
        found = (
            np.searchsorted(self.key_positions[s], p)
            for s, p in zip(self.sequences, least, strict=True)
        )
        return np.fromiter(found, np.int32, len(least))

    @classmethod
    def of(
        cls, pieces: Iterable[Piece | tuple], block_size: int, *, all_logits: bool = False
    ) -> Batch:
        """A batch of pieces; ``all_logits`` wants the logits of all their tokens.

        RequestError where a piece is empty or its table too short.
        """
        tokens, positions, slots, lengths, sequences, rows, tables = [], [], [], [], [], [], []
        pieces = [Piece(*p) for p in pieces]
        keys, holes = [], any(p.positions is not None for p in pieces)
        for n, (ids, start, table, at, n_rows) in enumerate(pieces):
            end = start + len(ids)
            if not len(ids) or start < 0 or end > len(table) * block_size:
                raise RequestError(
                    f"sequence {n}: tokens {start} .. {end} in {len(table)} blocks of {block_size}"
                )
            first = start if at is None or not start else int(at[-1]) + 1
            tokens += ids
            positions += range(first, first + len(ids))
            lengths += range(start + 1, end + 1)
            slots += [
                table[j // block_size] * block_size + j % block_size for j in range(start, end)
            ]
            sequences += [n] * len(ids)
            rows += range(len(tokens) - (len(ids) if all_logits else n_rows), len(tokens))
            tables.append(table)
            if holes:
                new = np.arange(first, first + len(ids), dtype=np.int32)
                keys.append(
                    np.concatenate([np.arange(start, dtype=np.int32) if at is None else at, new])
                )
        block_tables = np.full((len(tables), max(map(len, tables), default=0)), -1, np.int32)
        for n, table in enumerate(tables):
            block_tables[n, : len(table)] = table
        arrays = (np.array(a, np.int32) for a in (tokens, positions, slots, sequences))
        more = (np.array(a, np.int32) for a in (lengths, rows))
        return cls(*arrays, block_tables, *more, tuple(keys) if holes else None)
