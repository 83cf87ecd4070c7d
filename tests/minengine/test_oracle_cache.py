"""The meaning of a paged cache: against the engine's pool, and on what a stranger may ask of it."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from minengine import oracle_cache as oracle
from minengine.cells import Cells
from minengine.kvcache import BlockPool

B, L, G, E, N_BLOCKS = 4, 2, 3, 6, 14


def empty(n_blocks: int = N_BLOCKS) -> dict:
    shape = (L, n_blocks, B, G, E)
    return {
        "block_size": B, "refs": [0] * n_blocks, "found_by": {}, "cached": [],
        "k": np.full(shape, np.nan, np.float32), "v": np.full(shape, np.nan, np.float32),
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_it_agrees_with_the_engines_pool_on_a_long_history(seed):
    """The same appends, forks, rewinds and drops: what each sequence reads, and the room left."""
    rng, engine, pool = np.random.default_rng(seed), BlockPool(N_BLOCKS, B, L, G, E, "F32"), empty()
    pairs: list[tuple[Cells, dict]] = []
    for _ in range(200):
        kind = rng.choice(["new", "append", "append", "fork", "rewind", "drop"])
        if not pairs or (kind == "new" and len(pairs) < 6):
            pairs.append((Cells(engine), {"table": [], "n": 0}))
            continue
        cells, seq = pairs[rng.integers(len(pairs))]
        if kind == "append":
            k, v = rng.standard_normal((2, L, int(rng.integers(1, 6)), G, E)).astype(np.float32)
            room = engine.wanted(cells.table, cells.n, k.shape[1]) <= engine.n_free
            assert (oracle.append(pool, seq, k, v) is not None) == room
            if room:
                places = np.array(cells.room(k.shape[1]))
                engine.put(
                    places,
                    *(np.ascontiguousarray(a.swapaxes(0, 1)).view(np.uint8) for a in (k, v)),
                )
                cells.wrote(k.shape[1])
        elif kind == "fork" and len(pairs) < 6:
            pairs.append((cells.fork(), oracle.fork(pool, seq)))
        elif kind == "rewind":
            n = int(rng.integers(cells.n + 1))
            cells.truncate(n)
            assert oracle.rewind(pool, seq, n) is not None
        elif kind == "drop":
            cells.free()
            assert oracle.free(pool, seq["table"]) is not None
            pairs = [pair for pair in pairs if pair[1] is not seq]
        assert pool["refs"].count(0) == engine.n_free
        for cells, seq in pairs:
            want = engine.rows(cells.slots())
            for layer in range(L):
                for got, rows in zip(oracle.gather(pool, seq, layer), want, strict=True):
                    right = np.ascontiguousarray(rows[:, layer]).view(np.float32)
                    assert np.array_equal(got, right.reshape(got.shape))


def test_what_was_published_is_found_and_given_up_oldest_first():
    pool, text = empty(4), list(range(9))
    seq = {"table": [], "n": 0}
    oracle.append(pool, seq, *np.ones((2, L, 9, G, E), np.float32))
    keys = oracle.block_keys(text, B)
    oracle.publish(pool, seq, keys)
    first, second, _ = seq["table"]
    assert pool["found_by"] == {keys[0]: first, keys[1]: second}
    oracle.free(pool, seq["table"])
    assert pool["cached"] == [second, first]
    found = oracle.lookup(pool, keys)
    assert found == {"table": [first, second], "n": 8}
    oracle.free(pool, found["table"])
    assert oracle.allocate(pool, 3)[-1] == second
    assert oracle.lookup(pool, keys) == {"table": [first], "n": 4}


def test_keys_are_equal_exactly_where_the_texts_are():
    one, two = oracle.block_keys([1, 2, 3, 4, 5, 6, 7, 8], 4), oracle.block_keys([1, 2, 3, 4, 9], 4)
    assert one[0] == two[0]
    assert oracle.block_keys([0, 2, 3, 4, 5, 6, 7, 8], 4)[1] != one[1]
    assert len(set(oracle.block_keys([1, 1, 1, 1], 1))) == 4


def test_what_cannot_be_done_gives_none_and_changes_nothing():
    pool = empty(3)
    seq = {"table": [], "n": 0}
    oracle.append(pool, seq, *np.ones((2, L, 6, G, E), np.float32))
    stale = {"table": [2], "n": 2}
    before = copy.deepcopy((pool, seq))
    rows = np.ones((2, L, 7, G, E), np.float32)
    for function, args in (
        (oracle.allocate, (2,)),
        (oracle.allocate, (-1,)),
        (oracle.free, ([seq["table"][0]] * 2,)),
        (oracle.free, ([2],)),
        (oracle.fork, (stale,)),
        (oracle.append, (seq, *rows)),
        (oracle.rewind, (seq, 7)),
        (oracle.rewind, (seq, -1)),
        (oracle.rewind, (stale, 0)),
    ):
        assert function(pool, *args) is None, function.__name__
    assert seq == before[1]
    assert {k: v for k, v in pool.items() if k not in "kv"} == {
        k: v for k, v in before[0].items() if k not in "kv"
    }
    assert all(np.array_equal(pool[part], before[0][part], equal_nan=True) for part in "kv")


COLLIDING = [k * ((1 << 61) - 1) for k in range(100_000)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: oracle.slots([0], 0, 10**12, 10**13),
        lambda: oracle.slots([0] * 1000, 0, 10**7, 10**5),
        lambda: oracle.slots([0], -1, 3, 4),
        lambda: oracle.allocate(empty() | {"cached": COLLIDING}, 1),
        lambda: oracle.allocate(empty() | {"refs": [0] * 100_000}, 1),
        lambda: oracle.free(empty(), COLLIDING),
        lambda: oracle.lookup(empty() | {"cached": COLLIDING}, []),
        lambda: oracle.block_keys([1] * 100_000, 1),
        lambda: oracle.block_keys([1], 0),
        lambda: oracle.gather(empty(), {"table": [0], "n": 10**9}, 0),
        lambda: oracle.fork(empty() | {"refs": [1] * N_BLOCKS}, {"table": [0] * 100_000, "n": 1}),
    ],
)
def test_sizes_of_no_cache_are_refused_before_work_that_would_take_hours(ask):
    with pytest.raises(ValueError, match=r"\d"):
        ask()


def test_a_million_slots_cost_what_is_asked_for():
    places = oracle.slots([3, 1] + [0] * 200_000, 2, 6, 4)
    assert places.tolist() == [14, 15, 4, 5]
