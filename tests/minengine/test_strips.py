"""strips: every variant this processor runs gives the bits of the readable product."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from minengine import Engine, integer, strips
from minengine.formats import FORMATS

CODED = [f for f in FORMATS.values() if f.has_codes]
ROWS = pytest.mark.parametrize("form", CODED, ids=lambda f: f.name)
VARIANTS = strips.runs()[:-1]
EACH = pytest.mark.parametrize("variant", VARIANTS)
# up to 4 tokens in registers, then panels of 16, 8, 4, 2 and 1; 128 tokens meet a panel at a time
TOKENS = (*range(1, 10), 16, 17, 31, 130)


def products(x, raw, form, variant, n_threads=1) -> list[np.ndarray]:
    """The product with the rows as in the file, and with the same in strips."""
    a, found = strips.rounded(x, variant=variant), []
    laid = np.empty((strips.strip_rows(len(raw)), raw.shape[1]), np.uint8)
    strips.interleave(raw, form, laid, variant=variant)
    for data in (raw, laid):
        out = np.full((len(x), len(raw)), np.nan, np.float32)
        how = {"interleaved": data is laid, "n_threads": n_threads, "variant": variant}
        strips.matmul(a, data, form, out, **how)
        found.append(out)
    return found


def readable(x, raw, form) -> np.ndarray:
    out = np.empty((len(x), len(raw)), np.float32)
    integer.matmul(integer.Activations(x), raw, form, out)
    return out


def random_blocks(form, n_rows, n, seed, byte=None) -> np.ndarray:
    """Blocks of random bytes, or of one, under finite scales: every code there is."""
    rng = np.random.default_rng(seed)
    raw = rng.integers(0, 256, (n_rows, form.row_bytes(n)), dtype=np.uint8)
    if byte is not None:
        raw[:] = byte
    blocks = raw.reshape(-1, form.block_bytes)
    if form.name == "MXFP4":
        blocks[:, 0] = rng.integers(0, 200, len(blocks))
        blocks[::5, 0] = rng.integers(0, 3, len(blocks[::5]))  # subnormal scales
        return raw
    places = {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,), "TQ1_0": (52,), "TQ2_0": (64,)}
    two = (0, 2) if form.name in ("Q4_1", "Q5_1", "Q4_K", "Q5_K") else (0,)
    for at in places.get(form.name, two):
        halves = rng.standard_normal(len(blocks)).astype(np.float16)
        halves[::7] *= np.float16(1e-5)  # subnormal halves
        blocks[:, at : at + 2] = halves.view(np.uint8).reshape(-1, 2)
    return raw


def test_this_processors_variants_are_named_and_the_best_one_is_chosen():
    assert strips.runs()[-1] == "portable"
    named = os.environ.get("MINENGINE_SIMD")
    assert named or strips.runs()[0] == strips.CHOSEN
    with pytest.raises(ValueError, match=r"got 'sse9', this processor runs .*portable"):
        strips.choose("sse9")


@pytest.mark.parametrize("name", strips.runs())
def test_the_environment_forces_a_variant(name):
    script = "from minengine import strips; print(strips.CHOSEN)"
    assert run_with(MINENGINE_SIMD=name, script=script) == name


def test_what_is_asked_for_ahead_changes_no_bit():
    script = """if True:
        import hashlib, numpy as np
        from minengine import strips
        from minengine.formats import FORMATS
        found, n, n_rows = hashlib.sha256(), 1024, 1300
        for name in ("Q4_0", "Q8_0", "Q4_K", "Q6_K"):
            rows = np.random.default_rng(3).standard_normal((n_rows, n), np.float32)
            raw = FORMATS[name].quantize(rows)
            assert raw.size >= 262144  # smaller weights are not asked for
            laid = np.empty((strips.strip_rows(n_rows), raw.shape[1]), np.uint8)
            strips.interleave(raw, FORMATS[name], laid)
            for n_tokens in (1, 2, 3, 4, 5, 8, 16):
                out = np.empty((n_tokens, n_rows), np.float32)
                x = strips.rounded(rows[:n_tokens])
                strips.matmul(x, laid, FORMATS[name], out, interleaved=True)
                found.update(out)
        print(strips.ASKS, found.hexdigest())
    """
    if strips.CHOSEN == "portable":
        return  # it has no strips
    names = ["scattered", "all", "kernels"]
    said = [run_with(MINENGINE_ASKS=name, script=script).split() for name in names]
    assert [name for name, _ in said] == names
    assert len({bits for _, bits in said}) == 1
    with pytest.raises(ValueError, match="MINENGINE_ASKS: got 'none', want scattered, all, ker"):
        strips.asks("none")


def run_with(*, script: str, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **env}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return done.stdout.strip()


@EACH
@ROWS
def test_every_variant_has_the_bits_of_the_readable_product(form, variant):
    for n_rows, n in ((37, 768), (16, 256), (1, 1280)):
        raw = random_blocks(form, n_rows, n, n_rows)
        for n_tokens in TOKENS:
            x = np.random.default_rng(n_tokens).standard_normal((n_tokens, n)).astype(np.float32)
            want = readable(x, raw, form)
            for got in products(x, raw, form, variant):
                assert np.array_equal(got, want), (n_rows, n, n_tokens)


@EACH
@pytest.mark.parametrize("n", [4096, 8192, 16384])
def test_fewer_tokens_at_once_for_long_rows_give_the_same_bits(variant, n):
    form = FORMATS["Q4_K"]
    raw = random_blocks(form, 17, n, 4)
    x = np.random.default_rng(7).standard_normal((101, n)).astype(np.float32)
    for got in products(x, raw, form, variant):
        assert np.array_equal(got, readable(x, raw, form))


@EACH
@ROWS
def test_rows_that_are_no_whole_chunk_lose_nothing(form, variant):
    n = 256 + form.block_size if form.block_size == 32 else 512
    raw, x = random_blocks(form, 19, n, 2), np.random.default_rng(1).standard_normal((6, n))
    x = x.astype(np.float32)
    for part in (x, x[:2]):
        for got in products(part, raw, form, variant):
            assert np.array_equal(got, readable(part, raw, form))


@EACH
@ROWS
def test_extreme_codes_do_not_saturate(form, variant):
    raw = np.concatenate([random_blocks(form, 5, 256, 0, b) for b in (0, 0x7F, 0x80, 0xFF)])
    for value in (1, -1):
        x = np.full((5, 256), value, np.float32)
        x[1, ::2] *= -1
        x[2, ::3] *= -1
        for part in (x, x[:3]):
            for got in products(part, raw, form, variant):
                assert np.array_equal(got, readable(part, raw, form))


@EACH
def test_any_number_of_threads_gives_the_same_bits(variant):
    form = FORMATS["Q5_0"]
    raw = random_blocks(form, 1600, 512, 5)
    x = np.random.default_rng(6).standard_normal((130, 512)).astype(np.float32)
    for part in (x[:1], x):
        one, three = (products(part, raw, form, variant, n) for n in (1, 3))
        assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))
    whole = products(x, raw, form, variant)[0]
    for t in (0, 15, 16, 129):
        assert np.array_equal(products(x[t : t + 1], raw, form, variant)[0][0], whole[t])


@EACH
def test_activations_are_rounded_to_the_same_bits(variant):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 320)).astype(np.float32)
    x *= np.float32(10.0) ** rng.integers(-38, 38, (40, 320))
    x[0, 5], x[1, 40], x[2, 70], x[3] = np.nan, np.inf, -np.inf, 0
    x[4] = np.float32(1e-38)
    x[5] = rng.integers(-127, 128, 320) + np.float32(0.5)  # ties
    x[5, ::32] = 127
    got, want = strips.rounded(x, variant=variant).rows(), integer.Activations(x).rows()
    for name in ("codes", "minus_sum"):
        assert np.array_equal(got[name], want[name])
    for name in ("scale", "sum", "both"):
        assert np.array_equal(got[name], want[name], equal_nan=True)
    assert np.isnan(got["scale"]).sum() == 3


@EACH
def test_what_is_no_number_stays_none(variant):
    form, x = FORMATS["Q4_K"], np.ones((6, 256), np.float32)
    x[:, 200] = np.nan
    for part in (x, x[:1]):
        for got in products(part, random_blocks(form, 3, 256, 0), form, variant):
            assert np.isnan(got).all()


def test_wrong_shapes_are_refused_in_words():
    form, out = FORMATS["Q8_0"], np.zeros((1, 3), np.float32)
    a, raw = strips.rounded(np.zeros((1, 64), np.float32)), np.zeros((3, 68), np.uint8)
    with pytest.raises(ValueError, match="2 rows of weight, want 3"):
        strips.matmul(a, raw[:2], form, out)
    with pytest.raises(ValueError, match="F32 has no codes"):
        strips.matmul(a, np.zeros((3, 256), np.uint8), FORMATS["F32"], out)
    with pytest.raises(ValueError, match="the portable variant reads rows as they lie"):
        strips.matmul(a, raw, form, out, interleaved=True, variant="portable")
    with pytest.raises(ValueError, match="the portable variant reads rows as they lie"):
        strips.interleave(raw, form, np.zeros((16, 68), np.uint8), variant="portable")
    for variant in VARIANTS:
        with pytest.raises(ValueError, match="3 rows of weight, want 16"):
            strips.matmul(a, raw, form, out, interleaved=True, variant=variant)
        with pytest.raises(ValueError, match=r"out \(3, 68\), want \(16, 68\)"):
            strips.interleave(raw, form, raw.copy(), variant=variant)


def test_an_engine_that_copies_its_weights_says_the_same_text_to_the_bit():
    with Engine(mode="fast", n_threads=1) as plain, Engine(mode="fast", repack=True) as copied:
        ids = plain.tokenize("ROMEO:\nBut, soft! what light through yonder window breaks?")
        assert np.array_equal(plain.logits(ids), copied.logits(ids))
        assert copied.repacked_bytes > 0 or strips.CHOSEN == "portable"
        assert plain.repacked_bytes == 0
