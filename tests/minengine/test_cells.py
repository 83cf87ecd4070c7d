"""cells: sequences that forget, move, copy and share, against plain lists that do the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minengine.cells import Cells
from minengine.errors import OutOfBlocks, RequestError
from minengine.kvcache import BlockPool

N_BLOCKS, B = 9, 3


def turn(rows, layer, by):
    """A rope of paper: a key at a position is its token plus the position."""
    return (rows + by[:, None, None] * (layer + 1)).astype(np.uint8)


class Lists(RuleBasedStateMachine):
    """Each sequence is also a list of (token, position)."""

    def __init__(self):
        super().__init__()
        self.pool = BlockPool(N_BLOCKS, B, 2, 1, 1)
        self.cells: dict[int, Cells] = {}
        self.lists: dict[int, list[tuple[int, int]]] = {}
        self.n = 0

    def any(self, data):
        return data.draw(st.sampled_from(sorted(self.cells)))

    def state(self):
        references = [self.pool.references(b) for b in range(N_BLOCKS)]
        return references, {w: self.read(c) for w, c in self.cells.items()}

    def read(self, cells):
        keys, values = (a[:, :, 0, 0] for a in self.pool.rows(cells.slots()))
        return keys.tolist(), values.tolist(), cells.positions.tolist()

    def attempt(self, call) -> bool:
        """Do it, or see that nothing has changed."""
        before = self.state()
        try:
            call()
        except OutOfBlocks:
            assert self.state() == before
            return False
        return True

    def put(self, who, cells, items):
        self.n += 1
        self.cells[self.n], self.lists[self.n] = cells, items

    @rule()
    def start(self):
        self.put(None, Cells(self.pool), [])

    @precondition(lambda self: self.cells)
    @rule(data=st.data(), n=st.integers(1, 7), token=st.integers(0, 255))
    def grow(self, data, n, token):
        who = self.any(data)
        cells, slots = self.cells[who], []
        if self.attempt(lambda: slots.extend(cells.room(n))):
            at = [cells.next_position + i for i in range(n)]
            for slot, p in zip(slots, at, strict=True):
                block, offset = divmod(slot, B)
                assert self.pool.references(block) == 1, "a shared block is about to be written"
                for layer in (0, 1):
                    self.pool.keys[layer, block, 0, offset] = (token + p * (layer + 1)) % 256
                self.pool.values[:, block, 0, offset] = token
            cells.wrote(n)
            self.lists[who] += [(token, p) for p in at]

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def forget_some(self, data):
        who = self.any(data)
        items = self.lists[who]
        stay = data.draw(st.lists(st.booleans(), min_size=len(items), max_size=len(items)))
        alone = data.draw(st.booleans())
        if self.attempt(lambda: self.cells[who].keep(np.flatnonzero(stay), alone=alone)):
            self.lists[who] = [i for i, s in zip(items, stay, strict=True) if s]
            held = [self.pool.references(b) for b in self.cells[who].table]
            assert not alone or held == [1] * len(held)

    @precondition(lambda self: self.cells)
    @rule(data=st.data(), p0=st.integers(0, 20), p1=st.integers(-1, 20))
    def forget_a_range(self, data, p0, p1):
        who = self.any(data)
        stay = np.flatnonzero(~self.cells[who].between(p0, p1))
        if self.attempt(lambda: self.cells[who].keep(stay)):
            kept = [i for i in self.lists[who] if not (i[1] >= p0 and (i[1] < p1 or p1 < 0))]
            self.lists[who] = kept

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def truncate(self, data):
        who = self.any(data)
        n = data.draw(st.integers(0, len(self.lists[who])))
        free = self.pool.n_free
        self.cells[who].truncate(n)  # takes nothing, so it never fails
        assert self.pool.n_free >= free
        del self.lists[who][n:]

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def move(self, data):
        who = self.any(data)
        steps = data.draw(
            st.lists(
                st.integers(1, 3), min_size=len(self.lists[who]), max_size=len(self.lists[who])
            )
        )
        positions = np.cumsum([*steps]) - 1 if steps else np.zeros(0, int)
        if self.attempt(lambda: self.cells[who].move(positions, turn)):
            pairs = zip(self.lists[who], positions.tolist(), strict=True)
            self.lists[who] = [(t, p) for (t, _), p in pairs]

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def close_ranks(self, data):
        who = self.any(data)
        if self.attempt(lambda: self.cells[who].close_ranks(turn)):
            self.lists[who] = [(t, n) for n, (t, _) in enumerate(self.lists[who])]

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def fork(self, data):
        who = self.any(data)
        free = self.pool.n_free
        self.put(None, self.cells[who].fork(), list(self.lists[who]))
        assert self.pool.n_free == free

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def append(self, data):
        who, other = self.any(data), self.any(data)
        items = self.lists[other]
        if items and items[0][1] < self.cells[who].next_position:
            with pytest.raises(RequestError, match="this sequence has cells up to"):
                self.cells[who].append(self.cells[other])
        elif self.attempt(lambda: self.cells[who].append(self.cells[other])):
            self.lists[who] = self.lists[who] + items

    @precondition(lambda self: self.cells)
    @rule(data=st.data())
    def end(self, data):
        who = self.any(data)
        self.cells.pop(who).free()
        del self.lists[who]

    @invariant()
    def every_cell_holds_its_token_turned_to_its_position(self):
        for who, items in self.lists.items():
            keys, values, positions = self.read(self.cells[who])
            assert positions == [p for _, p in items]
            assert values == [[t, t] for t, _ in items]
            assert keys == [[(t + p) % 256, (t + 2 * p) % 256] for t, p in items]

    @invariant()
    def references_count_the_tables_that_hold_a_block(self):
        held = [b for c in self.cells.values() for b in c.table]
        assert [self.pool.references(b) for b in range(N_BLOCKS)] == [
            held.count(b) for b in range(N_BLOCKS)
        ]
        assert self.pool.n_used == len(set(held))

    @invariant()
    def positions_are_plain_exactly_where_there_are_no_holes(self):
        for who, items in self.lists.items():
            assert self.cells[who].holes == ([p for _, p in items] != list(range(len(items))))


TestLists = Lists.TestCase


def filled(n: int, n_blocks: int = 6) -> Cells:
    cells = Cells(BlockPool(n_blocks, 4, 1, 1, 1))
    cells.room(n)
    cells.wrote(n)
    return cells


def test_forgetting_whole_blocks_moves_no_row():
    cells = filled(16)
    first = cells.table[0]
    cells.keep(np.arange(4, 16))
    assert cells.pool.counters.moved == 0
    assert first not in cells.table
    assert cells.pool.n_used == 3


def test_forgetting_needs_no_free_block_in_a_full_pool():
    cells = filled(16, n_blocks=4)
    cells.keep(np.array([0, 1, 5, 6, 7, 9, 10, 11, 12]))
    assert (cells.n, len(cells.table), cells.pool.n_free) == (9, 3, 1)


def test_what_is_cut_at_the_end_stays_whole_and_what_is_cut_elsewhere_does_not():
    cells = filled(10)
    cells.truncate(7)
    assert cells.whole
    cells.keep(np.array([0, 1, 2, 4, 5]))
    assert not cells.whole


def test_a_block_that_is_written_over_is_not_found_any_more():
    cells = filled(8)
    tokens = list(range(8))
    cells.pool.publish(cells.table, tokens)
    cells.keep(np.array([1, 2, 3, 4, 5]))
    assert cells.pool.lookup([*tokens, 9]) == []


@pytest.mark.parametrize("positions", [[0, 1], [0, 0, 1], [2, 1, 3], [-1, 0, 1]])
def test_cells_move_to_increasing_positions_alone(positions):
    with pytest.raises(ValueError, match="positions must increase"):
        filled(3).move(np.array(positions), turn)
