"""The cells of one sequence: which of its tokens have keys and values in the cache, and where.

Owns: the position of every stored token, operations on stored tokens: forget some, copy, move to
other positions. Must not know: texts, scheduling, kernels. Read before: ``kvcache.py``.

A *cell* holds the keys and values of one token in all layers, turned by rope to the token's
*position*. Cell i of a sequence lies in block ``table[i // B]`` at offset ``i % B``: cells have no
holes. Positions increase from cell to cell and are 0, 1, 2, ... until something is forgotten; then
they may have holes, and attention asks for them (``Batch.key_positions``). The terms are
llama.cpp's; what it marks in one table of cells for all sequences is here one list a sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from minengine.errors import RequestError
from minengine.kvcache import BlockPool

# (rows (n, G * E) in the cache's format, layer, by how many positions (n,)) -> the rows turned
Turn = Callable[[np.ndarray, int, np.ndarray], np.ndarray]


class Cells:
    """n stored tokens of one sequence, in blocks of a pool. Methods do all they were asked, or
    raise and change nothing.

    ``whole`` is true while the cells are what the network makes of the text from its first token
    on, so that others may share them. ``mass`` is, where somebody asks for it, the attention that
    each stored token got so far (H2O).
    """

    def __init__(self, pool: BlockPool, table: Iterable[int] = (), n: int = 0) -> None:
        self.pool, self.table, self.n = pool, list(table), n
        self.whole = True
        self.mass: np.ndarray | None = None  # float64 (n,)
        self._positions: np.ndarray | None = None  # int32 (n,); None is 0 .. n - 1

    @property
    def positions(self) -> np.ndarray:
        """The position of every cell, increasing: int32 (n,)."""
        return np.arange(self.n, dtype=np.int32) if self._positions is None else self._positions

    @property
    def holes(self) -> bool:
        """Are the positions anything else than 0 .. n - 1?"""
        return self._positions is not None

    @property
    def next_position(self) -> int:
        """Where the next token stands: after the last one."""
        return self.n if self._positions is None else int(self._positions[-1]) + 1

    def slots(self) -> np.ndarray:
        """The slot of every cell: int64 (n,)."""
        i, B = np.arange(self.n), self.pool.block_size
        return np.array(self.table, np.int64)[i // B] * B + i % B

    def room(self, n: int) -> list[int]:
        """Slots for n more tokens, which ``wrote`` makes cells. OutOfBlocks as ``writable``."""
        return self.pool.writable(self.table, self.n, n)

    def wrote(self, n: int) -> None:
        """The next n tokens were stored, at the next positions."""
        if self._positions is not None:
            more = np.arange(self.next_position, self.next_position + n, dtype=np.int32)
            self._positions = np.concatenate([self._positions, more])
        if self.mass is not None:
            self.mass = np.concatenate([self.mass, np.zeros(n)])
        self.n += n

    def restore(self, positions: np.ndarray, whole: bool, mass: np.ndarray | None) -> None:
        """Become the cells of a file, for which ``room`` was made."""
        self.n, self.whole = len(positions), whole
        self.mass = None if mass is None else np.array(mass, np.float64)
        self._set(positions)

    def between(self, p0: int, p1: int) -> np.ndarray:
        """Cells at positions p0 .. p1 - 1, negative ends are open: bool (n,)."""
        p = self.positions
        return (p >= p0) & ((p < p1) if p1 >= 0 else True)

    def truncate(self, n: int) -> None:
        """Forget all cells but the first n; blocks that hold none of them are freed."""
        if not 0 <= n <= self.n:
            raise ValueError(f"truncate: {n} of {self.n} cells")
        self.keep(np.arange(n))

    def keep(self, kept: np.ndarray, *, alone: bool = False) -> None:
        """Forget all cells but those of increasing indices ``kept``, and leave no gaps.

        Blocks whose cells stay together keep them; the rows of others are moved, into blocks that
        are this sequence's alone, as all are with ``alone``: a ``move`` can't fail then.
        OutOfBlocks where rows of shared blocks have to be moved and no block is free.
        """
        B, kept = self.pool.block_size, np.asarray(kept, np.int64)
        if len(kept) == self.n and not alone:
            return
        stay, moved = {}, []  # of the new table: which block it is, and those yet to be filled
        for first in range(0, len(kept), B):
            part = kept[first : first + B]
            block = self.table[part[0] // B]
            together = part[0] % B == 0 and part[-1] - part[0] == len(part) - 1
            if together and not (alone and self.pool.references(block) > 1):
                stay[first // B] = block
            else:
                moved.append(first // B)
        left = [b for b in self.table if b not in set(stay.values())]
        own = [b for b in left if self.pool.references(b) == 1][: len(moved)]
        fresh = self.pool.allocate(len(moved) - len(own))
        table = [b for _, b in sorted((stay | dict(zip(moved, own + fresh, strict=True))).items())]
        new = np.flatnonzero(np.isin(np.arange(len(kept)) // B, moved))
        rows = self.pool.rows(self.slots()[kept[new]])
        for block in own:
            self.pool.claim(block)
        self.pool.put(np.array(table, np.int64)[new // B] * B + new % B, *rows)
        self.pool.free([b for b in left if b not in set(own)])
        self.pool.counters.dropped += self.n - len(kept)
        prefix = not len(kept) or bool(kept[-1] == len(kept) - 1)
        positions = self.positions[kept]
        self.mass = None if self.mass is None else self.mass[kept]
        self.table, self.n, self.whole = table, len(kept), self.whole and prefix
        self._set(positions)

    def _set(self, positions: np.ndarray) -> None:
        plain = not positions.size or (positions[0] == 0 and positions[-1] == len(positions) - 1)
        self._positions = None if plain else positions.astype(np.int32)

    def move(self, positions: np.ndarray, turn: Turn) -> None:
        """Give the cells other positions, increasing and not negative: int (n,).

        Rope is linear in the position, so a key at p turned by q - p more is the key at q
        (llama.cpp calls it the K shift). Values have no position. OutOfBlocks where cells in shared
        blocks move and there is no block to copy them to. Formats of few bits round at every move.
        """
        positions = np.asarray(positions, np.int64)
        if len(positions) != self.n or (np.diff(positions) <= 0).any() or (positions < 0).any():
            raise ValueError("move: positions must increase from 0 on, one for each cell")
        by = positions - self.positions
        changed = np.flatnonzero(by)
        if not changed.size:
            return
        first, last = int(changed[0]), int(changed[-1])
        self.pool.writable(self.table, first, last + 1 - first)
        slots, by = self.slots()[changed], by[changed]
        blocks, offsets = np.divmod(slots, self.pool.block_size)
        for layer, keys in enumerate(self.pool.keys):
            rows = keys[blocks, :, offsets]  # (n, G, row_bytes)
            keys[blocks, :, offsets] = turn(rows, layer, by)
        self.pool.counters.turned += len(changed)
        self.whole = False
        self._set(positions)

    def close_ranks(self, turn: Turn) -> None:
        """Move the cells to positions 0 .. n - 1."""
        self.move(np.arange(self.n), turn)

    def fork(self) -> Cells:
        """The same cells for another sequence; blocks are shared until one of the two writes."""
        other = Cells(self.pool, self.pool.fork(self.table), self.n)
        other.whole, other._positions = self.whole, self._positions
        other.mass = None if self.mass is None else self.mass.copy()
        return other

    def append(self, other: Cells) -> None:
        """Take a copy of another sequence's cells, all at later positions than these.

        RequestError where they are not later; OutOfBlocks where there is no room for their rows.
        """
        if other.n == 0:
            return
        if other.positions[0] < self.next_position:
            raise RequestError(
                f"cells at positions from {other.positions[0]} on: this sequence has cells up to "
                f"{self.next_position - 1}"
            )
        slots = self.room(other.n)
        self.pool.put(np.array(slots), *self.pool.rows(other.slots()))
        positions = np.concatenate([self.positions, other.positions])
        self.n += other.n
        self.whole, self.mass = False, None
        self._set(positions)

    def free(self) -> None:
        """Let go of all blocks; no cell is left."""
        self.pool.free(self.table)
        self.table, self.n, self.whole = [], 0, True
        self._positions = self.mass = None
