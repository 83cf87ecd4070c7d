"""attention: the paged walk against the oracle's attention over plain arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minengine import attention, oracle, oracle_formats, strips
from minengine.formats import FORMATS

F32 = FORMATS["F32"]


def i32(*values) -> np.ndarray:
    return np.array(values, np.int32)


class Cache:
    """Keys and values of one layer, and where each token of each sequence lies."""

    def __init__(self, n_blocks, B, G, E, form=F32):
        self.B, self.form = B, form
        shape = (n_blocks, G, B, form.row_bytes(E))
        # NaN where nothing was stored: whoever reads it shows it
        self.keys = np.full(shape, 0xFF, np.uint8)
        self.values = self.keys.copy()

    def store(self, k, v, table, first=0):
        slots = [table[j // self.B] * self.B + j % self.B for j in range(first, first + len(k))]
        k, v = (np.ascontiguousarray(a.reshape(len(a), -1)) for a in (k, v))
        attention.store_kv(k, v, i32(*slots), self.form, self.keys, self.values)

    def attend(self, q, sequences, tables, lengths, **options):
        T, H, E = q.shape
        out = np.full((T, H * E), np.nan, np.float32)
        width = max(map(len, tables))
        tables = np.array([[*t, *[-1] * (width - len(t))] for t in tables], np.int32)
        attention.attend(
            np.ascontiguousarray(q.reshape(T, -1)), self.keys, self.values, self.form,
            i32(*sequences), tables, i32(*lengths), H, out, **options,
        )  # fmt: skip
        return out.reshape(T, H, E)


def qkv(T, S, H, G, E, seed=0):
    rng = np.random.default_rng(seed)
    return (
        rng.standard_normal((n, heads, E)).astype(np.float32)
        for n, heads in ((T, H), (S, G), (S, G))
    )


# scores and sums of S terms in float32, all of size 1
TOLERANCE = {"rtol": 2e-6, "atol": 2e-6}


@pytest.mark.parametrize("B", [1, 3, 16, 256])
@pytest.mark.parametrize(("H", "G"), [(1, 1), (4, 4), (8, 2), (6, 1)])
@pytest.mark.parametrize(("T", "S"), [(1, 1), (1, 70), (5, 5), (9, 40)])
def test_paged_attention_is_the_oracles(B, H, G, T, S):
    q, k, v = qkv(T, S, H, G, 8)
    table = list(np.random.default_rng(1).permutation(S // B + 3)[: -(-S // B)])
    cache = Cache(S // B + 3, B, G, 8)
    cache.store(k, v, table)
    got = cache.attend(q, [0] * T, [table], range(S - T + 1, S + 1))
    want = oracle.attention(q, k, v, oracle.causal_mask(T, S))
    assert np.allclose(got, want, **TOLERANCE)


def test_where_the_blocks_lie_does_not_change_a_bit():
    q, k, v = qkv(3, 50, 4, 2, 16)
    results = []
    for seed in range(4):
        table = list(np.random.default_rng(seed).permutation(20)[:13])
        cache = Cache(20, 4, 2, 16)
        cache.store(k, v, table)
        results.append(cache.attend(q, [0] * 3, [table], (48, 49, 50)))
    assert all(np.array_equal(r, results[0]) for r in results)


def test_any_number_of_threads_gives_the_same_bits():
    q, k, v = qkv(40, 60, 8, 2, 32)  # enough work to be worth waking threads
    cache = Cache(8, 8, 2, 32)
    cache.store(k, v, range(8))
    one, two, five = (
        cache.attend(q, [0] * 40, [range(8)], range(21, 61), n_threads=n) for n in (1, 2, 5)
    )
    assert np.array_equal(one, two)
    assert np.array_equal(one, five)


def test_sequences_of_one_batch_do_not_see_each_other():
    a, b = list(qkv(2, 9, 4, 2, 8, seed=1)), list(qkv(3, 5, 4, 2, 8, seed=2))
    cache = Cache(6, 4, 2, 8)
    tables = [[4, 0, 2], [1, 5]]
    cache.store(*a[1:], tables[0])
    cache.store(*b[1:], tables[1])
    q = np.concatenate((a[0], b[0]))[[0, 2, 1, 3, 4]]  # in any order
    got = cache.attend(q, (0, 1, 0, 1, 1), tables, (8, 3, 9, 4, 5))
    assert np.allclose(got[[0, 2]], oracle.attention(*a, oracle.causal_mask(2, 9)), **TOLERANCE)
    assert np.allclose(got[[1, 3, 4]], oracle.attention(*b, oracle.causal_mask(3, 5)), **TOLERANCE)


def test_sequences_may_share_the_blocks_of_a_prefix():
    q, k, v = qkv(2, 11, 4, 2, 8, seed=3)
    cache = Cache(6, 4, 2, 8)
    cache.store(k[:8], v[:8], [3, 1])  # once
    cache.store(k[8:], v[8:], [3, 1, 0], first=8)
    cache.store(k[8:] * 2, v[8:] * 2, [3, 1, 5], first=8)
    got = cache.attend(q, (0, 1), [[3, 1, 0], [3, 1, 5]], (11, 11))
    assert np.allclose(got[:1], oracle.attention(q[:1], k, v), **TOLERANCE)
    k2, v2 = np.concatenate((k[:8], k[8:] * 2)), np.concatenate((v[:8], v[8:] * 2))
    assert np.allclose(got[1:], oracle.attention(q[1:], k2, v2), **TOLERANCE)


def test_what_a_token_may_not_see_never_reaches_it():
    """Unwritten slots and later tokens are NaN here."""
    q, k, v = qkv(1, 7, 2, 1, 8)
    k[5:], v[5:] = np.nan, np.inf
    cache = Cache(3, 4, 1, 8)
    cache.store(k, v, [2, 0])
    got = cache.attend(q, [0], [[2, 0]], [5])
    assert np.allclose(got, oracle.attention(q, k[:5], v[:5]), **TOLERANCE)


def test_a_token_that_sees_nothing_gets_zeros():
    cache = Cache(1, 4, 1, 8)
    q, _, _ = qkv(2, 1, 2, 1, 8)
    assert np.array_equal(cache.attend(q, (0, 0), [[0]], (0, 0)), np.zeros((2, 2, 8)))


@pytest.mark.parametrize("size", [1e-3, 30.0, 1e4])
def test_scores_of_any_size_do_not_overflow(size):
    q, k, v = qkv(2, 33, 2, 1, 8)
    q *= np.float32(size)
    cache = Cache(9, 4, 1, 8)
    cache.store(k, v, range(9))
    got = cache.attend(q, (0, 0), [range(9)], (32, 33))
    want = oracle.attention(q, k, v, oracle.causal_mask(2, 33))
    # a score of size s is off by s * 2^-24 * a few, its weight by the same factor
    assert np.allclose(got, want, rtol=0, atol=2e-6 * max(1, size))


def test_a_given_scale_replaces_one_over_the_root_of_the_width():
    q, k, v = qkv(1, 6, 2, 2, 8)
    cache = Cache(2, 4, 2, 8)
    cache.store(k, v, [0, 1])
    got = cache.attend(q, [0], [[0, 1]], [6], scale=0.7)
    assert np.allclose(got, oracle.attention(q, k, v, scale=0.7), **TOLERANCE)


@pytest.mark.parametrize("name", [n for n in FORMATS if FORMATS[n].block_size <= 32])
@pytest.mark.parametrize("E", [32, 288])
def test_the_cache_may_be_in_any_format_whose_blocks_divide_a_head(name, E):
    form = FORMATS[name]
    q, k, v = qkv(2, 19, 4, 2, E)
    cache = Cache(5, 4, 2, E, form)
    cache.store(k, v, [4, 2, 0, 1, 3])
    got = cache.attend(q, (0, 0), [[4, 2, 0, 1, 3]], (18, 19))
    k, v = (oracle_formats.dequantize(name, form.quantize(a)) for a in (k, v))
    want = oracle.attention(q, k, v, oracle.causal_mask(2, 19))
    assert np.allclose(got, want, rtol=4e-6, atol=4e-6)


@given(st.data())
def test_any_split_of_tokens_into_sequences_and_blocks_is_the_oracles(data):
    B, n = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 4))
    lengths = data.draw(st.lists(st.integers(1, 20), min_size=n, max_size=n))
    need = [-(-s // B) for s in lengths]
    order = data.draw(st.permutations(range(sum(need))))
    cache, tables, wanted, queries = Cache(sum(need), B, 2, 4), [], [], []
    for i, s in enumerate(lengths):
        tables.append([order.pop() for _ in range(need[i])])
        q, k, v = qkv(1, s, 4, 2, 4, seed=i)
        cache.store(k, v, tables[-1])
        queries.append(q)
        wanted.append(oracle.attention(q, k, v))
    got = cache.attend(np.concatenate(queries), range(n), tables, lengths)
    assert np.allclose(got, np.concatenate(wanted), **TOLERANCE)


def a_long_text(E, form=F32, B=32, S=700, H=6, G=2):
    """-> its cache and table, queries of its last 45 tokens, and the options of a window."""
    q, k, v = qkv(45, S, H, G, E, seed=E)
    table = list(np.random.default_rng(2).permutation(-(-S // B)))
    cache = Cache(len(table), B, G, E, form)
    cache.store(k, v, table)
    lengths = np.arange(S - 44, S + 1, dtype=np.int32)
    return cache, table, q, lengths, {"starts": lengths - 300, "softcap": 20.0}


@pytest.mark.parametrize("variant", strips.runs()[:-1])
@pytest.mark.parametrize("name", ["F32", "F16", "Q8_0"])
@pytest.mark.parametrize("E", [32, 96, 256])
def test_every_variant_has_the_bits_of_the_readable_products(E, name, variant):
    cache, table, q, lengths, options = a_long_text(E, FORMATS[name])
    for n in (1, 2, 3, 45):
        for how in ({}, options):
            part = {k: o[-n:] if k == "starts" else o for k, o in how.items()}
            want, got = (
                cache.attend(q[-n:], [0] * n, [table], lengths[-n:], variant=v, **part)
                for v in ("portable", variant)
            )
            assert np.array_equal(got, want)


@pytest.mark.parametrize("variant", strips.runs()[:-1])
@pytest.mark.parametrize("E", [1, 4, 17, 80])
def test_heads_of_any_width_have_the_same_bits(E, variant):
    cache, table, q, lengths, _ = a_long_text(E, S=80)
    got = cache.attend(q, [0] * 45, [table], lengths, variant=variant)
    assert np.array_equal(got, cache.attend(q, [0] * 45, [table], lengths, variant="portable"))


@pytest.mark.parametrize("windowed", [False, True])
def test_a_token_has_the_same_bits_alone_and_among_others(windowed):
    cache, table, q, lengths, options = a_long_text(32)
    options = options if windowed else {}
    whole = cache.attend(q, [0] * 45, [table], lengths, **options)
    for t in (0, 1, 31, 32, 44):
        part = {k: o[t : t + 1] if k == "starts" else o for k, o in options.items()}
        alone = cache.attend(q[t : t + 1], [0], [table], lengths[t : t + 1], **part)
        assert np.array_equal(alone[0], whole[t])


@pytest.mark.parametrize("n", [1, 2])
def test_ranges_of_a_long_text_on_many_threads_have_the_same_bits(n):
    cache, table, q, lengths, options = a_long_text(256)
    one, three = (
        cache.attend(q[:n], [0] * n, [table], lengths[:n], n_threads=threads) for threads in (1, 3)
    )
    assert np.array_equal(one, three)
    window = {"starts": options["starts"][:n]}
    one, three = (
        cache.attend(q[:n], [0] * n, [table], lengths[:n], n_threads=threads, **window)
        for threads in (1, 3)
    )
    assert np.array_equal(one, three)


def test_the_size_of_a_block_changes_no_bit():
    results = []
    for B in (1, 7, 64, 256):
        cache, table, q, lengths, options = a_long_text(16, B=B)
        results.append(cache.attend(q, [0] * 45, [table], lengths, **options))
    assert all(np.array_equal(r, results[0]) for r in results)


def test_a_long_text_is_the_oracles():
    cache, table, q, lengths, options = a_long_text(64)
    _, k, v = qkv(45, 700, 6, 2, 64, seed=64)
    got = cache.attend(q, [0] * 45, [table], lengths, **options)
    for t in (0, 20, 44):
        a, b = options["starts"][t], lengths[t]
        want = oracle.attention(q[t : t + 1], k[a:b], v[a:b], cap=20.0)
        assert np.allclose(got[t], want[0], **TOLERANCE)


@pytest.mark.parametrize("slot", [-1, 12, 2**31 - 1])
def test_a_slot_outside_the_cache_is_refused_and_nothing_written(slot):
    cache = Cache(3, 4, 1, 8)
    before = cache.keys.copy()
    k = np.ones((2, 8), np.float32)
    with pytest.raises(ValueError, match=rf"slot {slot} at 1, want 0 \.\. 11"):
        attention.store_kv(k, k, i32(0, slot), F32, cache.keys, cache.values)
    assert np.array_equal(cache.keys, before)


@pytest.mark.parametrize(
    ("sequences", "tables", "lengths", "words"),
    [
        ((1,), [[0]], (1,), "token 0 is of sequence 1, want 0 .. 0"),
        ((-1,), [[0]], (1,), "token 0 is of sequence -1"),
        ((0,), [[0]], (5,), "token 0 sees 5 keys, but sequence 0 has 1 blocks of 4"),
        ((0,), [[0, 3]], (5,), "has 1 blocks of 4"),
        ((0,), [[-1, 0]], (1,), "has 0 blocks of 4"),
        ((0,), [[0]], (-1,), "token 0 sees -1 keys"),
    ],
)
def test_a_table_that_leads_outside_the_cache_is_refused(sequences, tables, lengths, words):
    cache = Cache(3, 4, 1, 8)
    with pytest.raises(ValueError, match=words):
        cache.attend(np.ones((1, 1, 8), np.float32), sequences, tables, lengths)


def test_heads_that_do_not_divide_are_refused():
    cache = Cache(3, 4, 2, 8)
    with pytest.raises(ValueError, match="3 heads, 2 key/value heads do not divide"):
        cache.attend(np.ones((1, 3, 8), np.float32), (0,), [[0]], (1,))
    with pytest.raises(ValueError, match="cache rows of 32 bytes, want 64 for heads of 16 in F32"):
        cache.attend(np.ones((1, 2, 16), np.float32), (0,), [[0]], (1,))
    k = np.ones((1, 17), np.float32)
    with pytest.raises(ValueError, match="want both"):
        attention.store_kv(k, k, i32(0), F32, cache.keys, cache.values)


def add_mass(cache, q, sequences, tables, lengths, width=None, **options):
    T, H, _ = q.shape
    mass = np.ones((T, width or max(lengths)), np.float32)
    tables = np.array(tables, np.int32)
    attention.add_mass(
        np.ascontiguousarray(q.reshape(T, -1)), cache.keys, cache.form, i32(*sequences), tables,
        i32(*lengths), H, np.empty_like(mass), mass, **options,
    )  # fmt: skip
    return mass - 1


@pytest.mark.parametrize("form", ["F32", "F16", "Q8_0"])
@pytest.mark.parametrize(("H", "G"), [(1, 1), (4, 2)])
def test_the_mass_is_the_sum_of_the_softmax_over_heads(form, H, G):
    T, S, E = 4, 13, 32
    q, k, v = qkv(T, S, H, G, E)
    cache = Cache(6, 4, G, E, FORMATS[form])
    table = [5, 0, 3, 1]
    cache.store(k, v, table)
    lengths, starts = (10, 11, 12, 13), i32(0, 0, 3, 7)
    raw = FORMATS[form].quantize(k.reshape(S, G, E))
    k = oracle_formats.dequantize(form, raw.reshape(S * G, -1)).reshape(S, G, E)
    for cap in (0.0, 2.0):
        options = {"starts": starts, "scale": 0.3, "softcap": cap}
        got = add_mass(cache, q, [0] * T, [table], lengths, 15, **options)
        want = np.zeros((T, 15))
        for t in range(T):
            for h in range(H):
                scores = k[starts[t] : lengths[t], h // (H // G)] @ q[t, h] * 0.3
                scores = cap * np.tanh(scores / cap) if cap else scores
                want[t, starts[t] : lengths[t]] += oracle.softmax(scores)
        assert np.allclose(got, want, atol=1e-6 * H)
        assert np.allclose(got.sum(axis=1), H, rtol=1e-5)


def test_the_mass_and_the_store_are_the_same_bits_for_any_threads():
    q, k, v = qkv(300, 300, 8, 2, 64)
    masses, stores = [], []
    for n in (1, 2, 5):
        cache = Cache(20, 16, 2, 64)
        slots = np.random.default_rng(0).permutation(320)[:300].astype(np.int32)
        flat = [np.ascontiguousarray(a.reshape(300, -1)) for a in (k, v)]
        attention.store_kv(*flat, slots, F32, cache.keys, cache.values, n_threads=n)
        stores.append((cache.keys.copy(), cache.values.copy()))
        cache.store(k, v, range(20))
        masses.append(add_mass(cache, q, [0] * 300, [range(20)], range(1, 301), n_threads=n))
    for mass, (keys, values) in zip(masses, stores, strict=True):
        assert np.array_equal(mass, masses[0])
        assert np.array_equal(keys, stores[0][0])
        assert np.array_equal(values, stores[0][1])


def test_a_mass_that_is_too_narrow_is_refused():
    q, k, v = qkv(2, 6, 2, 1, 8)
    cache = Cache(2, 4, 1, 8)
    cache.store(k, v, [0, 1])
    with pytest.raises(ValueError, match="add_mass: token 1 sees 6 keys of 5"):
        add_mass(cache, q, [0, 0], [[0, 1]], (5, 6), 5)
    with pytest.raises(ValueError, match="1 sequences, 2 lengths, 2 tokens"):
        add_mass(cache, q, [0], [[0, 1]], (5, 6))
