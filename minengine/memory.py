"""What may be done to the cells of sequences from outside: llama.cpp's operations, forks, files.

Owns: ``seq_rm``, ``seq_cp``, ``seq_keep``, ``seq_add``, ``seq_div``, fork, rewind. Must not know:
kernels, sampling. Read before: ``cells.py``, ``sequence.py``, ``scheduler.py``.

Ranges are of positions, half open, and a negative end is open: seq_rm(s, 10, -1) removes all from
position 10 on. Unlike in llama.cpp a token that two sequences share can be moved in one of them: it
is copied then. What the text is (``Sequence.tokens``) does not change by what is forgotten.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import minengine.ops as ops
from minengine.cells import Cells, Turn
from minengine.errors import RequestError
from minengine.eviction import TOKEN_EVICTION
from minengine.kvcache import BlockPool
from minengine.model import Model
from minengine.scheduler import Scheduler
from minengine.sequence import Budget, Sequence


class Memory:
    """The cells of an engine's sequences. A method does all it was asked, or raises and changes
    nothing; ``OutOfBlocks`` where shared blocks would have to be copied and there is no room.
    """

    def __init__(self, scheduler: Scheduler, model: Model, context: int) -> None:
        self.scheduler, self.pool, self.model = scheduler, scheduler.pool, model
        self.context = context  # the most tokens of a sequence that may be stored
        self.turn = turner(model, scheduler.pool)

    def budget(
        self, name: str | None, n_cells: int | None = None, n_sinks: int = 4
    ) -> Budget | None:
        """How many tokens of a sequence may be stored and which go then; None is no end."""
        if name is None:
            if n_cells is not None:
                raise RequestError("n_cells: want token_eviction to say which tokens go")
            return None
        if name not in TOKEN_EVICTION:
            have = ", ".join(TOKEN_EVICTION)
            raise RequestError(f"token_eviction: got {name!r}, want {have}")
        n_cells = self.context if n_cells is None else n_cells
        if not isinstance(n_cells, int) or not 2 <= n_cells <= self.context:
            raise RequestError(f"n_cells: got {n_cells!r}, want 2 to the context of {self.context}")
        if not isinstance(n_sinks, int) or not 0 <= n_sinks < n_cells:
            raise RequestError(f"n_sinks: got {n_sinks!r}, want 0 to {n_cells - 1}")
        n_dropped = min(self.pool.block_size, max(1, (n_cells - n_sinks) // 4))
        context = self.model.hparams.context_length
        return Budget(TOKEN_EVICTION[name], n_cells, n_sinks, n_dropped, context, self.turn)

    def cells_of(self, sequence: Sequence) -> Cells:
        """The cells of a sequence; none where it has not begun. RequestError: another engine's."""
        if sequence.cells is None:
            sequence.cells = Cells(self.pool)
        if sequence.cells.pool is not self.pool:
            raise RequestError("this sequence is another engine's")
        return sequence.cells

    def seq_rm(self, sequence: Sequence, p0: int = 0, p1: int = -1) -> int:
        """Forget the cells at positions p0 .. p1 - 1 -> how many there were."""
        cells = self.cells_of(sequence)
        gone = cells.between(p0, p1)
        if gone.any():
            cells.keep(np.flatnonzero(~gone))
            cells.whole, sequence.pinned = False, True
        return int(gone.sum())

    def seq_cp(self, source: Sequence, target: Sequence, p0: int = 0, p1: int = -1) -> int:
        """Give ``target`` the source's cells at positions p0 .. p1 - 1 -> how many there were.

        As many more of the target's tokens count as seen. Blocks are shared where ``target`` has no
        cells yet. RequestError where it has some at or after the first of them, or no token is left
        that it has not seen.
        """
        cells = self.cells_of(source)
        if target.n_left <= cells.between(p0, p1).sum():
            raise RequestError(
                f"seq_cp: {cells.between(p0, p1).sum()} cells for a sequence of {target.n_left} "
                "tokens that were not seen, one must be left"
            )
        copy = cells.fork()
        try:
            copy.keep(np.flatnonzero(cells.between(p0, p1)))
            n = copy.n
            if target.cells is None or target.cells.n == 0:
                self.cells_of(target).free()
                target.cells, copy = copy, Cells(self.pool)
            else:
                target.cells.append(copy)
        finally:
            copy.free()
        target.cells.whole, target.pinned = False, True
        target.n_cached += n
        return n

    def seq_keep(self, sequence: Sequence) -> None:
        """Forget every other sequence, whether it runs or waits."""
        for other in [*self.scheduler.running, *self.scheduler.waiting]:
            if other is not sequence:
                self.scheduler.remove(other)

    def seq_add(self, sequence: Sequence, p0: int, p1: int, delta: int) -> None:
        """Move the cells at positions p0 .. p1 - 1 by ``delta``; keys are turned to where they go.

        Cells that would come before position 0 are forgotten. RequestError where cells would pass
        each other.
        """
        cells = self.cells_of(sequence)
        self._reposition(sequence, np.where(cells.between(p0, p1), delta, 0) + cells.positions)

    def seq_div(self, sequence: Sequence, p0: int, p1: int, divisor: int) -> None:
        """Divide positions p0 .. p1 - 1, rounding down. RequestError where two become one: here a
        position is one token's.
        """
        if divisor < 1:
            raise RequestError(f"seq_div: divisor {divisor}, want at least 1")
        cells = self.cells_of(sequence)
        p = cells.positions
        self._reposition(sequence, np.where(cells.between(p0, p1), p // divisor, p))

    def seq_pos_min(self, sequence: Sequence) -> int:
        """The first position that has a cell; -1 where there is none."""
        cells = self.cells_of(sequence)
        return int(cells.positions[0]) if cells.n else -1

    def seq_pos_max(self, sequence: Sequence) -> int:
        """The last position that has a cell; -1 where there is none."""
        return self.cells_of(sequence).next_position - 1

    def close_ranks(self, sequence: Sequence) -> None:
        """Move the cells to positions 0, 1, 2, ...: room for a longer text (a context shift)."""
        self._reposition(sequence, np.arange(self.cells_of(sequence).n))

    def fork(
        self, sequence: Sequence, *, seed: int | None = None, max_tokens: int | None = None
    ) -> Sequence:
        """A second sequence that goes on from the same tokens, not under way yet.

        Its cells are shared until one of the two writes. ``seed`` gives it other random numbers:
        without, both write the same text. It ends where the first does, or after ``max_tokens``
        more. ``release`` lets go of one that is never run.
        """
        chain = sequence.chain.copy()
        if seed is not None:
            chain.reseed(seed)
        other = replace(sequence, tokens=list(sequence.tokens), chain=chain, draft=[], reason="")
        other.n_prompt = sequence.n_prompt
        if max_tokens is not None:
            other.limit, other.limit_reason = len(other.tokens) + max_tokens, "length"
        if sequence.cells is not None:
            other.cells = sequence.cells.fork()
        return other

    def rewind(self, sequence: Sequence, n_tokens: int) -> None:
        """Take tokens back: the text is its first ``n_tokens`` and goes on from there.

        Random numbers are not taken back, so it goes on otherwise unless it is greedy.
        RequestError where cells were forgotten or moved: what they were is not known any more.
        """
        n, cells = len(sequence.tokens), self.cells_of(sequence)
        if not 1 <= n_tokens <= n:
            raise RequestError(f"rewind: to {n_tokens} tokens, want 1 to {n}")
        if cells.n != sequence.n_cached:
            raise RequestError("rewind: cells of this sequence were forgotten or moved")
        cells.truncate(min(cells.n, n_tokens - 1))  # the last is computed again, for its logits
        sequence.n_cached, sequence.draft = cells.n, []
        del sequence.tokens[n_tokens:]
        sequence.chain.forget(n - n_tokens)
        sequence.n_prompt, sequence.reason = min(sequence.n_prompt, n_tokens), ""

    def release(self, sequence: Sequence) -> None:
        """Stop a sequence, wherever it is, and free its blocks, kept ones too."""
        sequence.keeps_cells = False
        self.scheduler.remove(sequence)

    def _reposition(self, sequence: Sequence, positions: np.ndarray) -> None:
        cells = sequence.cells
        stay = positions >= 0
        if (np.diff(positions[stay]) <= 0).any():
            raise RequestError("cells would pass each other: positions must go on increasing")
        if not stay.all():
            cells.keep(np.flatnonzero(stay), alone=True)  # so that the move will not fail
        cells.move(positions[stay], self.turn)
        sequence.pinned = True


def turner(model: Model, pool: BlockPool) -> Turn:
    """What turns stored keys of a model: rows are dequantized, turned by rope, quantized again.

    A layer that does not rotate leaves its keys as they are.
    """
    # the factor on rotated keys (YaRN) is in them already
    rotations = [r and replace(r, magnitude=1.0) for r in model.rotations]

    def turn(rows: np.ndarray, layer: int, by: np.ndarray) -> np.ndarray:
        rotation, (n, G, _) = rotations[layer], rows.shape
        if rotation is None:
            return rows
        x = pool.format.dequantize(rows).reshape(n, -1)
        ops.rope(x, *rotation.angles(by), G, model.arch.pairing)
        return pool.format.quantize(x.reshape(n, G, -1))

    return turn
