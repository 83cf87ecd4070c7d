"""formats: bytes to numbers and back, against the oracle, gguf-py and NumPy."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from minengine import gguf, oracle_formats
from minengine.formats import FORMATS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
ROWS = pytest.mark.parametrize("form", FORMATS.values(), ids=list(FORMATS))
# where the half-precision scales of a block stand
SCALES = {
    "Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [],
}  # fmt: skip
WRITTEN_BY_GGUF_PY = [
    FORMATS[n]
    for n in (
        "F32",
        "F16",
        "BF16",
        "Q8_0",
        "Q4_0",
        "Q4_1",
        "Q5_0",
        "Q5_1",
        "TQ1_0",
        "TQ2_0",
        "MXFP4",
    )
]


def bits(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).view(np.uint8)


def finite_blocks(form, rng, n_elements: int) -> np.ndarray:
    """Random bytes as blocks, (8, row_bytes), with finite scales of every magnitude."""
    if form.block_bytes == 4:
        return bits(rng.standard_normal((8, n_elements)).astype("f4") * 1e10)
    raw = rng.integers(0, 256, (8, form.row_bytes(n_elements)), dtype=np.uint8)
    blocks = raw.reshape(-1, form.block_bytes)
    for at in SCALES.get(form.name, [0]):
        blocks[:, at + 1] &= 0xBB if form.name != "BF16" else 0xBF  # never the top exponent
    return raw


def extreme_blocks(form, n_elements: int) -> np.ndarray:
    """Every code at its smallest and largest: each byte value fills one row, d is 1."""
    n_blocks = n_elements // form.block_size
    blocks = np.repeat(np.arange(256, dtype=np.uint8), n_blocks * form.block_bytes)
    blocks = blocks.reshape(256 * n_blocks, form.block_bytes).copy()
    for at in SCALES.get(form.name, []):
        blocks[:, at : at + 2] = np.array([1.0], "<f2").view(np.uint8)
    return blocks.reshape(256, -1)


@ROWS
def test_random_blocks_mean_what_the_oracle_says_to_the_last_bit(form):
    raw = finite_blocks(form, np.random.default_rng(1), 512)
    want = oracle_formats.dequantize(form.name, raw)
    assert np.isfinite(want).all()
    assert np.array_equal(bits(form.dequantize(raw)), bits(want.astype(np.float32)))


@ROWS
def test_extreme_codes_mean_what_the_oracle_says(form):
    raw = extreme_blocks(form, 512)
    want = oracle_formats.dequantize(form.name, raw).astype(np.float32)
    got = form.dequantize(raw)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    assert same.all()


@ROWS
def test_dequantize_gives_the_bits_of_gguf_py(form):
    rng = np.random.default_rng(2)
    for raw in (finite_blocks(form, rng, 768), extreme_blocks(form, 256)):
        want = quants.dequantize(raw, GGMLQuantizationType[form.name])
        got, finite = form.dequantize(raw), np.isfinite(want)
        assert got.shape == want.shape
        assert np.array_equal(got.view(np.uint32)[finite], want.view(np.uint32)[finite])


def test_every_half_is_read_as_numpy_reads_it():
    halves = np.arange(65536, dtype=np.uint16)
    got, want = (
        FORMATS["F16"].dequantize(halves.view(np.uint8)),
        halves.view(np.float16).astype(np.float32),
    )
    finite = ~np.isnan(want)
    assert np.array_equal(got.view(np.uint32)[finite], want.view(np.uint32)[finite])
    assert np.array_equal(np.isnan(got), np.isnan(want))


@pytest.mark.parametrize("name", ["F16", "BF16"])
def test_ties_and_their_neighbours_round_to_even(name):
    """Around every midpoint of two neighbouring 16-bit numbers: the value below, the tie, the value
    above.
    """
    codes = np.arange(0, 0x7F80 if name == "BF16" else 0x7C00, dtype=np.uint16)
    numbers = FORMATS[name].dequantize(codes.view(np.uint8))
    middle = ((numbers[:-1].astype(np.float64) + numbers[1:]) / 2).astype(np.float32)
    largest = np.array([65504, 65519.996, 65520, 65536, 3.4e38, np.inf], np.float32)
    x = np.concatenate([np.nextafter(middle, s * np.inf) for s in (-1, 1)] + [middle, largest])
    x = np.concatenate([x, -x]).astype(np.float32)
    want = quants.quantize(x.reshape(1, -1), GGMLQuantizationType[name])
    assert np.array_equal(FORMATS[name].quantize(x), want.view(np.uint8).ravel())


@pytest.mark.parametrize("form", WRITTEN_BY_GGUF_PY, ids=lambda f: f.name)
def test_quantize_gives_the_bits_of_gguf_py(form):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 256)).astype(np.float32)
    x[100:200] *= 10.0 ** rng.integers(-30, 5, (100, 1))
    x[200:250] = rng.integers(-9, 9, (50, 256)) / 2  # many ties
    x[250] = 0
    x[251, ::7] = -0.0
    x[252] = np.eye(1, 256, 5) * -3
    want = quants.quantize(x, GGMLQuantizationType[form.name])
    assert np.array_equal(form.quantize(x), want.view(np.uint8).reshape(400, -1))


@pytest.mark.parametrize("form", WRITTEN_BY_GGUF_PY, ids=lambda f: f.name)
@given(data=st.data())
def test_quantize_agrees_with_gguf_py_on_any_finite_numbers(form, data):
    finite = st.floats(-60000, 60000, width=32)
    x = data.draw(arrays(np.float32, (1, 256), elements=finite))
    # NumPy leaves open which zero is the smaller; below 1e-35 1 / d overflows there and here
    x = np.where(np.abs(x) < 1e-35, np.float32(0), x)
    want = quants.quantize(x, GGMLQuantizationType[form.name]).view(np.uint8).reshape(1, -1)
    assert np.array_equal(form.quantize(x), want)


# relative error of rounding normal numbers: a uniform error of a step's width, step = spread /
# levels
@pytest.mark.parametrize(("name", "most"), [("Q8_0", 0.006), ("Q4_0", 0.09), ("Q6_K", 0.019)])
def test_rounding_normal_numbers_costs_no_more_than_a_step(name, most):
    x = np.random.default_rng(4).standard_normal((64, 1024)).astype(np.float32)
    error = FORMATS[name].dequantize(FORMATS[name].quantize(x)) - x
    assert np.sqrt(np.mean(error**2)) < most


def test_the_search_of_q4_k_beats_rounding_between_minimum_and_maximum():
    x = np.random.default_rng(5).standard_normal((64, 1024)).astype(np.float32)
    s = x.reshape(-1, 32)
    low, high = s.min(axis=1, keepdims=True), s.max(axis=1, keepdims=True)
    plain = np.round((s - low) / (high - low) * 15) / 15 * (high - low) + low
    error = FORMATS["Q4_K"].dequantize(FORMATS["Q4_K"].quantize(x)).reshape(-1, 32) - s
    assert np.mean(error**2) < np.mean((plain - s) ** 2)


def test_the_search_of_q6_k_beats_rounding_to_the_largest():
    x = np.random.default_rng(6).standard_normal((64, 1024)).astype(np.float32)
    s = x.reshape(-1, 16)
    d = np.abs(s).max(axis=1, keepdims=True) / 31
    error = FORMATS["Q6_K"].dequantize(FORMATS["Q6_K"].quantize(x)).reshape(-1, 16) - s
    assert np.mean(error**2) < np.mean((np.round(s / d) * d - s) ** 2)


@ROWS
def test_zeros_survive(form):
    zeros = np.zeros((2, 512), np.float32)
    assert np.array_equal(form.dequantize(form.quantize(zeros)), zeros)


# the sixteen levels -8 .. 7 are held as they are; Q4_K and Q6_K store their scales as fractions of
# a half, so up to its 2^-11
HELD = dict.fromkeys(("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0"), 0)
HELD |= {"Q4_K": 8e-3, "Q6_K": 8e-3}


@pytest.mark.parametrize("name", HELD)
def test_what_a_format_holds_exactly_survives(name):
    held = np.tile(np.arange(-8, 8, dtype=np.float32), 32)
    if name == "Q8_0":
        held[::16] = 127  # d = 1
    got = FORMATS[name].dequantize(FORMATS[name].quantize(held))
    assert np.allclose(got, held, rtol=0, atol=HELD[name])


@ROWS
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38, 1e-45])
def test_quantizing_a_number_no_format_likes_does_not_crash(form, value):
    x = np.random.default_rng(7).standard_normal(512).astype(np.float32)
    x[[0, 100, 511]] = value
    form.dequantize(form.quantize(x))
    form.quantize(np.full(512, value))


@ROWS
@pytest.mark.parametrize("n", [256, 512, 768, 4096])
def test_dot_adds_in_one_order_for_every_format(form, n):
    rng = np.random.default_rng(n)
    raw, x = form.quantize(rng.standard_normal(n)), rng.standard_normal(n).astype(np.float32)
    as_f32 = bits(form.dequantize(raw))
    assert form.dot(raw, x) == FORMATS["F32"].dot(as_f32, x)


@ROWS
def test_dot_is_the_sum_of_products(form):
    rng = np.random.default_rng(8)
    for n in (1, 7, 8, 9, 31, 32, 255, 256, 257, 1000, 2048):
        if n % form.block_size:
            continue
        raw, x = form.quantize(rng.standard_normal(n)), rng.standard_normal(n).astype(np.float32)
        products = oracle_formats.dequantize(form.name, raw) * x
        # a product or sum rounds by at most 2^-24 of its size; at most 50 follow each other
        assert abs(form.dot(raw, x) - products.sum()) <= 50 * 2**-24 * np.abs(products).sum()


@ROWS
def test_blocks_may_lie_at_any_address(form):
    raw = form.quantize(np.random.default_rng(9).standard_normal(512))
    shifted = np.zeros(raw.size + 1, np.uint8)
    shifted[1:] = raw
    assert np.array_equal(form.dequantize(shifted[1:]), form.dequantize(raw))
    x = np.ones(512, np.float32)
    assert form.dot(shifted[1:], x) == form.dot(raw, x)


@ROWS
def test_the_container_and_the_table_agree_about_each_block(form):
    assert gguf.TENSOR_TYPES[form.ggml_id] == (form.name, form.block_size, form.block_bytes)


def test_the_container_knows_the_sizes_gguf_py_knows():
    from gguf.constants import GGML_QUANT_SIZES

    for kind, (name, block_size, block_bytes) in gguf.TENSOR_TYPES.items():
        assert GGMLQuantizationType(kind).name == name
        assert GGML_QUANT_SIZES[GGMLQuantizationType(kind)] == (block_size, block_bytes)


def test_sizes_that_are_no_whole_blocks_are_refused_in_words():
    q = FORMATS["Q4_K"]
    with pytest.raises(ValueError, match="Q4_K: rows of 100, want a multiple of 256"):
        q.quantize(np.zeros(100))
    with pytest.raises(ValueError, match="Q4_K: rows of 100 bytes, want a multiple of 144"):
        q.dequantize(np.zeros(100, np.uint8))
    with pytest.raises(ValueError, match="Q4_K: 256 weights, 255 in x"):
        q.dot(np.zeros(144, np.uint8), np.zeros(255, np.float32))
    with pytest.raises(ValueError, match="uint8"):
        q.dequantize(np.zeros(144, np.float32))


def test_a_row_of_the_table_is_pickled_by_name():
    assert pickle.loads(pickle.dumps(FORMATS["Q6_K"])) is FORMATS["Q6_K"]
