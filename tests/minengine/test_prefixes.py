"""kvcache, eviction: prefixes are found, hold what they say, and go in the policy's order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minengine import Engine
from minengine.errors import OutOfBlocks
from minengine.eviction import EVICTION
from minengine.kvcache import BlockPool

B = 2


def filled(pool: BlockPool, tokens: list[int]) -> list[int]:
    """A table that holds the tokens as its keys, after a lookup, published."""
    table = pool.lookup(tokens)
    first = len(table) * pool.block_size
    for slot, token in zip(
        pool.writable(table, first, len(tokens) - first), tokens[first:], strict=True
    ):
        pool.keys[0, slot // pool.block_size, 0, slot % pool.block_size] = token
    pool.publish(table, tokens)
    return table


def held_by(pool: BlockPool, table: list[int]) -> list[int]:
    return [int(pool.keys[0, b, 0, j, 0]) for b in table for j in range(pool.block_size)]


def test_the_longest_prefix_of_whole_blocks_is_found_and_never_all_of_a_text():
    pool = BlockPool(8, B, 1, 1, 1)
    table = filled(pool, [1, 2, 3, 4, 5])
    assert pool.lookup([1, 2, 3, 4, 9]) == table[:2]
    assert pool.lookup([1, 2, 3, 4]) == table[:1]  # the last token is left to be computed
    assert pool.lookup([1, 2, 9, 9, 9]) == table[:1]
    assert pool.lookup([9, 2, 3, 4, 5]) == pool.lookup([]) == pool.lookup([1]) == []
    assert pool.lookup([3, 4, 5]) == []  # the same tokens after others are another prefix
    assert [pool.references(b) for b in table] == [4, 2, 1]
    assert (pool.counters.found, pool.counters.missed) == (4, 6)


def test_a_prefix_is_found_after_its_holder_is_gone_until_its_memory_is_wanted():
    pool = BlockPool(4, B, 1, 1, 1)
    table = filled(pool, [1, 2, 3, 4, 5])
    pool.free(table)
    assert (pool.n_free, pool.n_used, pool.n_cached) == (4, 0, 2)
    again = pool.lookup([1, 2, 3, 4, 5])
    assert again == table[:2]
    assert (pool.n_free, pool.n_cached) == (2, 0)
    pool.free(again)
    taken = pool.allocate(3)  # the end of a prefix goes before its beginning
    assert pool.lookup([1, 2, 3, 4, 5]) == table[:1]
    assert pool.counters.evicted == 1
    with pytest.raises(OutOfBlocks):
        pool.allocate(1)
    assert len(set(taken) | {table[0]}) == 4


def test_a_block_that_is_written_over_is_not_found_by_what_it_held():
    pool = BlockPool(4, B, 1, 1, 1)
    table = filled(pool, [1, 2, 3, 4])
    pool.writable(table, 1, 1)  # a sequence was cut back and goes on otherwise
    assert pool.lookup([1, 2, 3, 4, 5]) == []


def test_cost_counts_what_must_be_allocated():
    pool = BlockPool(6, B, 1, 1, 1)
    table = filled(pool, [1, 2, 3, 4, 5])
    assert pool.cost([1, 2, 3, 4, 7, 8, 9]) == 2
    pool.free(table)  # now the prefix takes free blocks too
    assert pool.cost([1, 2, 3, 4, 7, 8, 9]) == 4


@pytest.mark.parametrize(
    ("policy", "first"), [("lru", [2, 3, 1]), ("fifo", [1, 2, 3]), ("lfu", [3, 1, 2])]
)
def test_the_policy_says_which_goes_first(policy, first):
    pool = BlockPool(3, B, 1, 1, 1, eviction=policy)
    texts = {n: [n, n, 0] for n in (1, 2, 3)}
    tables = {}
    for n, text in texts.items():
        tables[n] = filled(pool, text[:2])
    for n in (1, 1, 2, 2, 2):  # how often they are found
        pool.free(pool.lookup(texts[n]))
    for n in (2, 3, 1):  # the order in which they are let go
        pool.free(tables[n])
    gone = []
    for _ in range(3):
        pool.allocate(1)
        gone += [n for n in texts if n not in gone and not pool._match(texts[n])]
    assert gone == first


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="eviction 'mru', want lru, fifo, lfu"):
        BlockPool(3, B, 1, 1, 1, eviction="mru")


class Prefixes(RuleBasedStateMachine):
    """Texts over few tokens come and go; what a table holds must be its text, found or written."""

    def __init__(self):
        super().__init__()
        self.pool, self.texts, self.next = None, {}, 0

    @precondition(lambda self: self.pool is None)
    @rule(policy=st.sampled_from(list(EVICTION)))
    def choose(self, policy):
        self.pool = BlockPool(6, B, 1, 1, 1, eviction=policy)

    @precondition(lambda self: self.pool)
    @rule(tokens=st.lists(st.integers(1, 2), min_size=1, max_size=9))
    def start(self, tokens):
        before = self.pool.n_free
        if self.pool.cost(tokens) > before:
            table = self.pool.lookup(tokens)
            first = len(table) * B
            with pytest.raises(OutOfBlocks):
                self.pool.writable(table, first, len(tokens) - first)
            self.pool.free(table)
            return
        cost = self.pool.cost(tokens)
        self.next += 1
        self.texts[self.next] = (tokens, filled(self.pool, tokens))
        assert self.pool.n_free == before - cost

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def end(self, data):
        _, table = self.texts.pop(data.draw(st.sampled_from(sorted(self.texts))))
        self.pool.free(table)

    @precondition(lambda self: self.texts)
    @rule(data=st.data())
    def cut_back_and_go_on(self, data):
        who = data.draw(st.sampled_from(sorted(self.texts)))
        tokens, table = self.texts[who]
        at = data.draw(st.integers(0, len(tokens) - 1))
        try:
            slots = self.pool.writable(table, at, 1)
        except OutOfBlocks:
            return
        self.pool.keys[0, slots[0] // B, 0, slots[0] % B] = 3
        tokens = [*tokens[:at], 3]
        last = -(-len(tokens) // B)
        self.pool.free(table[last:])
        self.texts[who] = (tokens, table[:last])
        self.pool.publish(table[:last], tokens)

    @invariant()
    def every_table_holds_its_text(self):
        held = [b for _, table in self.texts.values() for b in table]
        for tokens, table in self.texts.values():
            assert held_by(self.pool, table)[: len(tokens)] == tokens
        if self.pool:
            assert [self.pool.references(b) for b in range(6)] == [held.count(b) for b in range(6)]
            assert self.pool.n_used == len(set(held))


TestPrefixes = Prefixes.TestCase

PLAY = "ROMEO:\nBut, soft! what light through yonder window breaks?\nIt is the east, and Juliet is"


def text(engine: Engine, prompt: str) -> list[int]:
    generation = engine.generate(prompt, max_tokens=20, greedy=True)
    list(generation)
    return generation.sequence.tokens


@pytest.mark.parametrize("policy", EVICTION)
def test_text_after_a_found_prefix_is_the_plain_text(policy):
    prompts = [PLAY + end for end in (" the sun", " a star", " the sun", " gone")]
    with Engine(share_prefixes=False) as plain:
        want = [text(plain, p) for p in prompts]
    with Engine(block_size=8, eviction=policy) as roomy:
        assert [text(roomy, p) for p in prompts] == want
        assert roomy.pool.counters.found > 8
        assert roomy.pool.n_free == roomy.pool.n_blocks
    with Engine(block_size=8, n_blocks=12, eviction=policy) as tight:
        assert [text(tight, p) for p in [*prompts, "KING", *prompts]] == [
            *want, text(plain_engine(), "KING"), *want,
        ]  # fmt: skip
        assert tight.pool.counters.evicted


def plain_engine() -> Engine:
    return Engine(share_prefixes=False)


def test_many_at_once_with_one_prefix_compute_it_once_and_say_the_same():
    with Engine(share_prefixes=False) as plain:
        want = [text(plain, PLAY + end) for end in (" a", " b", " c")]
    with Engine(block_size=4) as engine:
        text(engine, PLAY)
        before = engine.pool.counters.found
        running = [
            engine.generate(PLAY + end, max_tokens=20, greedy=True) for end in (" a", " b", " c")
        ]
        for pieces in zip(*running, strict=False):
            assert all(pieces)
        for generation in running:
            list(generation)
        assert [g.sequence.tokens for g in running] == want
        assert engine.pool.counters.found - before >= 3 * 9
        assert all(g.sequence.n_found >= 36 for g in running)


def test_a_prefix_is_not_found_by_other_numbers_of_the_same_text():
    pool = BlockPool(4, B, 1, 1, 1)
    filled(pool, [1, 2, 3])
    assert len(pool.lookup(np.array([1, 2, 3]).tolist())) == 1
