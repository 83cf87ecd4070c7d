"""kvcache: the pool against a plain dictionary that does the same in the most obvious way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minengine.errors import OutOfBlocks
from minengine.kvcache import BlockPool, Usage

N_BLOCKS, B = 7, 3


class Tables(RuleBasedStateMachine):
    """Sequences grow, fork and end; what each wrote is kept in ``texts`` as well."""

    def __init__(self):
        super().__init__()
        self.pool = BlockPool(N_BLOCKS, B, 1, 1, 1)
        self.tables: dict[int, list[int]] = {}
        self.texts: dict[int, list[int]] = {}
        self.next = 0

    def state(self):
        tables = {n: list(t) for n, t in self.tables.items()}
        references = [self.pool.references(b) for b in range(N_BLOCKS)]
        return tables, references, self.pool.n_free, self.pool.keys.copy()

    @rule(n=st.integers(0, 10), value=st.integers(0, 255))
    def start(self, n, value):
        self.next += 1
        self.tables[self.next], self.texts[self.next] = [], []
        self.write(self.next, n, value)

    @precondition(lambda self: self.tables)
    @rule(data=st.data(), n=st.integers(0, 7), value=st.integers(0, 255))
    def grow(self, data, n, value):
        self.write(data.draw(st.sampled_from(sorted(self.tables))), n, value)

    def write(self, who, n, value):
        table, text, before = self.tables[who], self.texts[who], self.state()
        try:
            slots = self.pool.writable(table, len(text), n)
        except OutOfBlocks:
            after = self.state()
            assert before[:3] == after[:3], "a refused call changed something"
            assert np.array_equal(before[3], after[3])
            return
        assert [s % B for s in slots] == [j % B for j in range(len(text), len(text) + n)]
        for slot in slots:
            block = slot // B
            assert self.pool.references(block) == 1, "a shared block is about to be written"
            self.pool.keys[0, block, 0, slot % B] = value
        text += [value] * n

    @precondition(lambda self: self.tables)
    @rule(data=st.data())
    def fork(self, data):
        who = data.draw(st.sampled_from(sorted(self.tables)))
        self.next += 1
        self.tables[self.next] = self.pool.fork(self.tables[who])
        self.texts[self.next] = list(self.texts[who])

    @precondition(lambda self: self.tables)
    @rule(data=st.data())
    def end(self, data):
        who = data.draw(st.sampled_from(sorted(self.tables)))
        self.pool.free(self.tables.pop(who))
        del self.texts[who]

    @invariant()
    def references_count_the_tables_that_hold_a_block(self):
        held = [b for t in self.tables.values() for b in t]
        for block in range(N_BLOCKS):
            assert self.pool.references(block) == held.count(block)
        assert self.pool.n_free == N_BLOCKS - len(set(held))
        assert self.pool.n_used == len(set(held))

    @invariant()
    def every_sequence_reads_what_it_wrote(self):
        for who, text in self.texts.items():
            table = self.tables[who]
            got = [int(self.pool.keys[0, table[j // B], 0, j % B, 0]) for j in range(len(text))]
            assert got == text

    @invariant()
    def counters_add_up(self):
        c = self.pool.counters
        assert c.allocated - c.freed == self.pool.n_used
        assert self.pool.n_used <= c.peak <= N_BLOCKS


TestTables = Tables.TestCase


def pool(n=4):
    return BlockPool(n, 2, 1, 1, 1)


def test_a_block_freed_twice_is_refused_and_nothing_changes():
    p = pool()
    a, b = p.allocate(2)
    p.free([a])
    with pytest.raises(ValueError, match=f"block {a} is held 0 times, let go 1 times"):
        p.free([b, a])
    with pytest.raises(ValueError, match=f"block {b} is held 1 times, let go 2 times"):
        p.free([b, b])
    assert p.references(b) == 1
    assert p.n_free == 3


@pytest.mark.parametrize("block", [-1, 4])
def test_a_block_the_pool_does_not_have_is_refused(block):
    for call in (pool().references, lambda b: pool().free([b]), lambda b: pool().fork([b])):
        with pytest.raises(ValueError, match=rf"block {block}, want 0 \.\. 3"):
            call(block)


def test_a_free_block_cannot_be_forked():
    p = pool()
    table = p.allocate(2)
    p.free(table[1:])
    with pytest.raises(ValueError, match=f"block {table[1]} is free"):
        p.fork(table)
    assert p.references(table[0]) == 1


def test_too_few_blocks_change_nothing_but_the_counter():
    p = pool()
    held = p.allocate(3)
    with pytest.raises(OutOfBlocks, match="2 blocks wanted, 1 of 4 are free"):
        p.allocate(2)
    assert p.n_free == 1
    assert p.counters.refused == 1
    assert p.allocate(1)[0] not in held


def test_a_shared_prefix_takes_its_blocks_once():
    p = pool(8)
    table: list[int] = []
    p.writable(table, 0, 6)
    forks = [p.fork(table) for _ in range(5)]
    assert p.n_used == 3
    assert p.counters.shared == 15
    for f in (table, *forks):
        p.free(f)
    assert p.n_free == 8


def test_only_the_shared_block_that_is_written_is_copied_in_every_layer():
    p = BlockPool(8, 2, 3, 2, 4)
    table: list[int] = []
    p.writable(table, 0, 3)
    p.keys[:], p.values[:] = np.random.default_rng(0).integers(0, 256, (2, *p.keys.shape))
    other = p.fork(table)
    slots = p.writable(other, 3, 1)
    assert other[0] == table[0]
    assert other[1] != table[1]
    assert slots == [other[1] * 2 + 1]
    assert np.array_equal(p.keys[:, other[1]], p.keys[:, table[1]])
    assert np.array_equal(p.values[:, other[1]], p.values[:, table[1]])
    assert p.counters.copied == 1


def test_a_gap_in_a_table_is_refused():
    with pytest.raises(ValueError, match=r"tokens 3 \.\. 4 of 1 blocks"):
        pool().writable([0], 3, 1)


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((0, 1, 1, 1, 1), "n_blocks 0, want at least 1"),
        ((1, 0, 1, 1, 1), "blocks of 0 tokens"),
        ((1, 257, 1, 1, 1), r"blocks of 257 tokens, want 1 \.\. 256"),
        ((1, 1, 1, 1, 0), "E 0, want at least 1"),
        ((2**23, 256, 1, 1, 1), r"8388608 blocks of 256, want less than 2\^31 slots"),
        ((1, 1, 1, 1, 20, "Q8_0"), "rows of 20, want a multiple of 32"),
    ],
)
def test_sizes_no_cache_can_have_are_refused(sizes, words):
    with pytest.raises(ValueError, match=words):
        BlockPool(*sizes)


def test_the_bytes_of_a_cache_follow_from_its_sizes():
    # 2 (keys, values) x layers x blocks x tokens x heads x bytes of a row
    assert BlockPool(10, 16, 5, 2, 32).n_bytes == 2 * 5 * 10 * 16 * 2 * 32 * 4
    assert BlockPool(10, 16, 5, 2, 32, "Q8_0").n_bytes == 2 * 5 * 10 * 16 * 2 * 34


def test_usage_says_what_is_held_shared_and_findable():
    p = pool()
    assert p.usage() == Usage(0, 0, 4, 0, 0, 0, 0)
    first = p.allocate(2)
    second = p.fork(first)
    now = p.usage()
    assert (now.used, now.shared, now.references, now.free) == (2, 2, 4, 2)
    assert now.bytes_used == 2 * p.block_bytes == now.bytes_saved
    p.writable(second, 3, 1)  # its last block is copied
    assert (p.usage().used, p.usage().shared, p.usage().references) == (3, 1, 4)
    p.publish(first, [1, 2, 3, 4])
    p.free(second)
    p.free(first)
    assert (p.usage().cached, p.usage().bytes_cached) == (2, 2 * p.block_bytes)
    assert p.usage().free == 2
    assert p.counters.hit_rate == 0
    assert p.lookup([1, 2, 3, 4, 5, 6, 7]) == first
    assert p.counters.hit_rate == pytest.approx(2 / 3)
