"""ops: each kernel against its meaning in the oracle, and the same bits whatever the batch."""

from __future__ import annotations

import numpy as np
import pytest

from minengine import ops, oracle, oracle_formats
from minengine.formats import FORMATS

ROWS = pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
RNG = np.random.default_rng


def f32(*shape: int, seed: int = 0) -> np.ndarray:
    return RNG(seed).standard_normal(shape).astype(np.float32)


def product(x, raw, form, n_threads=1):
    out = np.full((len(x), len(raw)), np.nan, np.float32)
    ops.matmul(x, raw, form, out, n_threads=n_threads)
    return out


@ROWS
@pytest.mark.parametrize("n_tokens", [1, 2, 63, 64, 65, 130])
def test_matmul_is_the_oracles_on_the_dequantized_weight(form, n_tokens):
    x, raw = f32(n_tokens, 512), form.quantize(f32(37, 512, seed=1))
    w = oracle_formats.dequantize(form.name, raw)
    # 512 products and sums, at most 50 roundings of 2^-24 in a row
    bound = 50 * 2**-24 * (np.abs(x) @ np.abs(w).T)
    assert (np.abs(product(x, raw, form) - oracle.matmul(x, w)) <= bound).all()


@ROWS
@pytest.mark.parametrize("n_tokens", [1, 100])
def test_any_number_of_threads_gives_the_same_bits(form, n_tokens):
    # 901 x 768 is more than threads.WORTH_WAKING
    x, raw = f32(n_tokens, 768), form.quantize(f32(901, 768, seed=1))
    one = product(x, raw, form)
    for n_threads in (2, 3, 8):
        assert np.array_equal(product(x, raw, form, n_threads), one)


@ROWS
def test_a_token_gives_the_same_bits_alone_and_in_a_batch(form):
    x, raw = f32(70, 512), form.quantize(f32(33, 512, seed=1))
    batch = product(x, raw, form)
    for t in (0, 1, 63, 64, 69):
        assert np.array_equal(product(x[t : t + 1], raw, form)[0], batch[t])


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 255, 256, 257, 513])
def test_rows_of_any_length_are_summed_whole(n):
    x, w = f32(3, n), f32(5, n, seed=1)
    got = product(x, w.view(np.uint8), FORMATS["F32"])
    assert np.allclose(got, oracle.matmul(x, w), rtol=1e-5, atol=1e-5)


def test_empty_products_are_empty_or_zero():
    form = FORMATS["F32"]
    assert product(np.zeros((0, 4), np.float32), np.zeros((3, 16), np.uint8), form).shape == (0, 3)
    assert product(np.zeros((2, 4), np.float32), np.zeros((0, 16), np.uint8), form).shape == (2, 0)
    nothing = product(np.zeros((2, 0), np.float32), np.zeros((3, 0), np.uint8), form)
    assert np.array_equal(nothing, np.zeros((2, 3)))


@ROWS
def test_embed_copies_the_rows_that_are_asked_for(form):
    raw = form.quantize(f32(20, 256))
    ids = np.array([3, 19, 0, 3], np.int32)
    out = np.empty((4, 256), np.float32)
    ops.embed(raw, form, ids, out)
    assert np.array_equal(out, oracle.embed(oracle_formats.dequantize(form.name, raw), ids))


@pytest.mark.parametrize("bad", [-1, 20, 2**31 - 1, -(2**31)])
def test_a_token_outside_the_table_is_refused_and_nothing_written(bad):
    out = np.full((2, 256), 7, np.float32)
    with pytest.raises(ValueError, match=rf"token {bad} at 1, want 0 \.\. 19"):
        ops.embed(np.zeros((20, 1024), np.uint8), FORMATS["F32"], np.array([1, bad], np.int32), out)
    assert (out == 7).all()


@pytest.mark.parametrize("n", [1, 5, 256, 700])
@pytest.mark.parametrize("size", [1e-20, 1e-3, 1, 1e4])
def test_rms_norm_is_the_oracles(n, size):
    x, w = (f32(4, n) * size).astype(np.float32), f32(n, seed=1)
    out = np.empty_like(x)
    ops.rms_norm(x, w, 1e-5, out)
    assert np.allclose(out, oracle.rms_norm(x, w, 1e-5), rtol=1e-6, atol=1e-30)
    ops.rms_norm(x, w, 1e-5, x)
    assert np.array_equal(x, out), "in place"


@pytest.mark.parametrize("pairing", ["norm", "neox"])
@pytest.mark.parametrize(("width", "n_rot"), [(8, 8), (32, 32), (32, 16), (2, 2), (6, 0)])
def test_rope_is_the_oracles_also_far_away(pairing, width, n_rot):
    positions = np.array([0, 1, 2, 1000, 131071])
    x = f32(5, 3, width)
    angles = oracle.rope_angles(positions, n_rot) if n_rot else np.zeros((5, 0))
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    got = x.reshape(5, -1).copy()
    ops.rope(got, cos, sin, 3, pairing)
    want = oracle.rope(x, positions, n_rot=n_rot, pairing=pairing) if n_rot else x
    # a cosine rounded to float32, two products and a sum
    assert np.allclose(got.reshape(x.shape), want, rtol=0, atol=4 * 2**-24 * np.abs(x).max() * 2)


def test_silu_mul_is_the_oracles_from_end_to_end_of_the_floats():
    gate = np.concatenate(
        [np.linspace(-100, 100, 2001), [-1e30, 1e30, -1e-30, 0.0, -0.0, 88.7, -88.7, -104]]
    ).astype(np.float32)[None]
    up = f32(1, gate.shape[1])
    out = np.empty_like(gate)
    ops.silu_mul(gate, up, out)
    # below -88 exp(-x) is infinite and the result 0, where the exact one is less than 1e-36
    assert np.allclose(out, oracle.silu(gate) * up, rtol=1e-6, atol=1e-36)


def test_silu_mul_does_not_depend_on_threads():
    gate, up = f32(9, 4001), f32(9, 4001, seed=1)  # 16 times this is worth waking threads
    one, four = np.empty_like(gate), np.empty_like(gate)
    ops.silu_mul(gate, up, one)
    ops.silu_mul(gate, up, four, n_threads=4)
    assert np.array_equal(one, four)


def test_add_is_the_residual_connection():
    x, y = f32(3, 5), f32(3, 5, seed=1)
    want = x + y
    ops.add(x, y)
    assert np.array_equal(x, want)


def test_softmax_is_the_oracles_also_for_large_equal_and_masked_scores():
    inf = np.inf
    x = np.array(
        [[1, 2, 3], [1e4, 1e4, -1e4], [-3e38, 3e38, 0], [0, 0, 0], [-inf, 1, -inf], [-inf] * 3],
        np.float32,
    )
    out = np.empty_like(x)
    ops.softmax(x, out)
    assert np.allclose(out, oracle.softmax(x), rtol=1e-6, atol=0)
    assert np.array_equal(out[-1], np.zeros(3))


def test_wrong_shapes_are_refused_with_got_and_want():
    x, form = f32(2, 8), FORMATS["F32"]
    weight, out = np.zeros((3, 32), np.uint8), np.zeros((2, 3), np.float32)
    with pytest.raises(
        ValueError, match="bytes a row of weight: got 28, want bytes of n elements = 32"
    ):
        ops.matmul(x, weight[:, :28].copy(), form, out)
    with pytest.raises(ValueError, match="columns of out: got 4, want rows of weight = 3"):
        ops.matmul(x, weight, form, np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="n_threads 0"):
        ops.matmul(x, weight, form, out, n_threads=0)
    with pytest.raises(ValueError, match="width of weight: got 7"):
        ops.rms_norm(x, np.ones(7, np.float32), 1e-5, x)
    with pytest.raises(ValueError, match="pairing 'gptj', want 'norm' or 'neox'"):
        ops.rope(x, x[:, :2].copy(), x[:, :2].copy(), 2, "gptj")
    with pytest.raises(ValueError, match="8 columns do not divide into 3 heads"):
        ops.rope(x, x[:, :1].copy(), x[:, :1].copy(), 3, "norm")
    with pytest.raises(ValueError, match="3 pairs do not fit into heads of 4"):
        ops.rope(x, x[:, :3].copy(), x[:, :3].copy(), 2, "norm")
    with pytest.raises(ValueError, match="rows of up: got 1"):
        ops.silu_mul(x, x[:1], x)
    with pytest.raises(ValueError, match="rows of y: got 1"):
        ops.add(x, x[:1])
    with pytest.raises(ValueError, match="width of out"):
        ops.softmax(x, x[:, :4].copy())


def test_a_nan_among_the_weights_reaches_only_its_own_output():
    w = f32(4, 32, seed=1)
    w[2, 5] = np.nan
    out = product(f32(3, 32), w.view(np.uint8), FORMATS["F32"])
    assert np.isnan(out[:, 2]).all()
    assert np.isfinite(out[:, [0, 1, 3]]).all()
