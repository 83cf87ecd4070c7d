"""oracle: the definitions against what is known of them from elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants

from minengine import oracle, oracle_formats
from minengine.formats import FORMATS

RNG = np.random.default_rng


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_engine_has_a_meaning_here_and_it_is_gguf_py_s(name):
    form = FORMATS[name]
    raw = form.quantize(RNG(0).standard_normal((8, 512)))
    want = quants.dequantize(raw, GGMLQuantizationType[name])
    assert np.array_equal(oracle_formats.dequantize(name, raw).astype(np.float32), want)


def test_the_oracle_has_no_format_the_engine_lacks():
    assert set(oracle_formats.DEQUANTIZE) == set(FORMATS)


def test_rms_norm_makes_the_mean_square_one():
    x = RNG(1).standard_normal((5, 64)) * 9
    y = oracle.rms_norm(x, np.ones(64), 0)
    assert np.allclose(np.mean(y**2, axis=-1), 1)


def test_eps_stands_inside_the_root():
    assert oracle.rms_norm(np.zeros(4), np.ones(4), 1e-2).tolist() == [0] * 4
    assert np.allclose(oracle.rms_norm(np.ones(4), np.ones(4), 3.0), 0.5)


@pytest.mark.parametrize("pairing", ["norm", "neox"])
def test_scores_of_rotated_vectors_depend_on_the_distance_alone(pairing):
    q, k = RNG(2).standard_normal((2, 1, 1, 16))

    def score(a, b):
        turned = (oracle.rope(x, [p], pairing=pairing)[0, 0] for x, p in ((q, a), (k, b)))
        return np.dot(*turned)

    assert np.isclose(score(7, 3), score(1007, 1003))
    assert not np.isclose(score(7, 3), score(7, 4))
    assert np.isclose(score(5, 5), q.ravel() @ k.ravel())


def test_the_pairings_differ_by_a_permutation_of_coordinates():
    x, positions = RNG(3).standard_normal((4, 2, 8)), np.arange(4)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    norm = oracle.rope(x, positions, pairing="norm")
    assert np.allclose(oracle.rope(x[..., order], positions, pairing="neox"), norm[..., order])


def test_softmax_sums_to_one_and_ignores_a_shift():
    x = RNG(4).standard_normal((3, 9))
    assert np.allclose(oracle.softmax(x).sum(-1), 1)
    assert np.allclose(oracle.softmax(x + 1e4), oracle.softmax(x))
    assert np.array_equal(oracle.softmax(np.full(3, -np.inf)), np.zeros(3))


def test_the_last_query_sees_the_last_key():
    assert oracle.causal_mask(2, 4).tolist() == [[True, True, True, False], [True] * 4]


def test_attention_over_equal_keys_is_the_mean_of_the_values():
    q, v = RNG(5).standard_normal((2, 4, 8)), RNG(6).standard_normal((5, 2, 8))
    got = oracle.attention(q, np.ones((5, 2, 8)), v)
    assert np.allclose(got, np.repeat(v.mean(0), 2, axis=0))


def test_a_masked_value_never_reaches_the_output():
    q, k, v = RNG(7).standard_normal((3, 3, 2, 4))
    v[2] = np.nan
    assert np.isfinite(oracle.attention(q, k, v, oracle.causal_mask(3, 3))[:2]).all()


def test_a_layer_after_its_past_is_the_layer_over_everything():
    rng, D, F = RNG(8), 16, 24
    shapes = {"attn_q": (D, D), "attn_k": (8, D), "attn_v": (8, D), "attn_output": (D, D)}
    shapes |= {"ffn_gate": (F, D), "ffn_up": (F, D), "ffn_down": (D, F)}
    w = {n: rng.standard_normal(s) / 4 for n, s in shapes.items()}
    w |= {"attn_norm": np.ones(D), "ffn_norm": np.ones(D)}
    x, heads = rng.standard_normal((6, D)), {"n_heads": 4, "n_kv_heads": 2}
    whole, kv = oracle.layer(x, w, np.arange(6), **heads)
    first, past = oracle.layer(x[:4], w, np.arange(4), **heads)
    rest, kv2 = oracle.layer(x[4:], w, np.arange(4, 6), past=past, **heads)
    assert np.allclose(np.concatenate((first, rest)), whole)
    assert np.allclose(kv, kv2)


def test_top_p_keeps_the_crossing_token():
    logits = np.log([0.5, 0.3, 0.2])
    assert np.isfinite(oracle.top_p(logits, 0.6)).tolist() == [True, True, False]
    assert np.isfinite(oracle.top_p(logits, 0.0)).tolist() == [True, False, False]


def test_draw_gives_each_token_its_share():
    logits = np.log([0.2, 0.5, 0.3])
    got = [oracle.draw(logits, u) for u in (np.arange(1000) + 0.5) / 1000]
    assert np.bincount(got).tolist() == [200, 500, 300]
