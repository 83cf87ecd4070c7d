"""reading: how whole texts share passes, whatever their lengths and the room there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minengine import Engine
from minengine.errors import OutOfBlocks
from minengine.kvcache import BlockPool
from minengine.reading import read

PLAY = "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n"


@pytest.fixture(scope="module")
def engine():
    with Engine(n_threads=1) as e:
        yield e


def plain(batch):
    """In place of a network: each wanted token and its position."""
    return np.stack((batch.tokens, batch.positions), axis=1)[batch.rows]


@given(
    lengths=st.lists(st.integers(0, 40), max_size=12),
    n_batch=st.integers(1, 64),
    n_blocks=st.integers(10, 16),
    first=st.integers(0, 12),
)
def test_every_text_comes_whole_and_in_order_and_no_block_stays_held(
    lengths, n_batch, n_blocks, first
):
    texts = [[100 * i + j for j in range(n)] for i, n in enumerate(lengths)]
    pool, sizes, got = BlockPool(n_blocks, 4, 1, 1, 1), [], [[] for _ in texts]

    def compute(batch):
        sizes.append(len(batch.tokens))
        assert len(set(batch.slots.tolist())) == len(batch.slots)
        return plain(batch)

    for number, rows in read(texts, pool, compute, n_batch=n_batch, first=first):
        got[number] += rows.tolist()
    assert got == [[[i, at] for at, i in enumerate(ids)][first:] for ids in texts]
    assert sum(sizes) == sum(lengths)
    assert max(sizes, default=0) <= n_batch
    assert pool.n_used == 0


def test_a_pass_is_full_while_tokens_and_blocks_last():
    pool, sizes = BlockPool(8, 16, 1, 1, 1), []

    def compute(batch):
        sizes.append(len(batch.tokens))
        return plain(batch)

    list(read([[1] * 10, [1] * 20, [1] * 50, *[[1]] * 9], pool, compute, n_batch=64))
    # 64 tokens; then the 16 left of the third, whose four blocks leave room for four texts of one
    assert sizes == [64, 20, 5]


def test_a_text_that_never_fits_is_an_error_and_leaves_no_block_held():
    pool = BlockPool(2, 4, 1, 1, 1)
    with pytest.raises(OutOfBlocks):
        list(read([[1], [1] * 9], pool, plain, n_batch=4))
    assert pool.n_used == 0


def test_rows_of_many_texts_are_those_that_each_has_alone(engine):
    texts = [engine.tokenize(t) for t in (PLAY * 3, "x", PLAY[10:90], "", "To be or not")]
    texts.insert(2, [])
    for n_batch, first in ((256, 0), (5, 0), (64, 7), (1, 3)):
        engine.scheduler.n_batch = n_batch
        got = [[] for _ in texts]
        for number, rows in engine.rows(texts, first=first):
            got[number] += list(rows)
        engine.scheduler.n_batch = 256
        for ids, rows in zip(texts, got, strict=True):
            assert np.array_equal(np.reshape(rows, (-1, 1024)), engine.logits(ids)[first:])


def test_a_reader_that_stops_leaves_no_block_held(engine):
    rows = engine.rows([engine.tokenize(PLAY * 12)])
    next(rows)
    assert engine._reading.n_used > 0
    rows.close()
    assert engine._reading.n_used == 0


def test_texts_are_read_while_generations_hold_the_whole_cache(engine):
    ids = engine.tokenize(PLAY)
    want, held = engine.logits(ids), engine.pool.allocate(engine.pool.n_free)
    try:
        assert np.array_equal(engine.logits(ids), want)
    finally:
        engine.pool.free(held)
