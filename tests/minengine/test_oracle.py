"""oracle: the definitions against what is known of them from elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from gguf import GGMLQuantizationType, quants

from minengine import oracle, oracle_formats, oracle_models
from minengine.arch import ARCHITECTURES
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


def test_a_llama_is_its_layers_one_after_the_other():
    rng, D, V = RNG(9), 16, 11
    shapes = {"attn_q": (D, D), "attn_k": (8, D), "attn_v": (8, D), "attn_output": (D, D)}
    shapes |= {"ffn_gate": (24, D), "ffn_up": (24, D), "ffn_down": (D, 24)}
    shapes |= {"attn_norm": (D,), "ffn_norm": (D,)}
    layers = [{n: rng.standard_normal(s) / 4 for n, s in shapes.items()} for _ in range(3)]
    tensors = {f"blk.{i}.{n}.weight": w for i, row in enumerate(layers) for n, w in row.items()}
    tensors |= {"token_embd.weight": rng.standard_normal((V, D))}
    tensors |= {"output_norm.weight": np.ones(D), "output.weight": rng.standard_normal((V, D))}
    said = {"block_count": 3, "context_length": 64, "attention.layer_norm_rms_epsilon": 1e-6}
    said |= {"attention.head_count": 4, "attention.head_count_kv": 2}
    ids, metadata = np.array([3, 1, 4, 1, 5]), {f"llama.{k}": v for k, v in said.items()}
    got = oracle_models.forward(ARCHITECTURES["llama"], metadata, tensors, ids)
    x = oracle.embed(tensors["token_embd.weight"], ids)
    for w in layers:
        x, _ = oracle.layer(x, w, np.arange(5), n_heads=4, n_kv_heads=2, eps=1e-6)
    want = oracle.matmul(oracle.rms_norm(x, np.ones(D), 1e-6), tensors["output.weight"])
    assert np.allclose(got, want, rtol=1e-12)


def test_a_window_is_the_last_keys_and_its_own_included():
    mask = oracle.causal_mask(3, 5, window=2)
    assert [np.flatnonzero(row).tolist() for row in mask] == [[1, 2], [2, 3], [3, 4]]
    assert np.array_equal(oracle.causal_mask(3, 5, window=5), oracle.causal_mask(3, 5))


def test_a_capped_score_never_passes_the_cap_and_small_ones_stay():
    assert np.allclose(oracle.softcap([1e9, -1e9, 1e-3], 30.0), [30, -30, 1e-3])
    assert oracle.softcap([7.0], 0).tolist() == [7.0]
    q, k, v = RNG(10).standard_normal((3, 4, 1, 8))
    flat = oracle.attention(q, k * 1e6, v, cap=1e-9)
    assert np.allclose(flat, v.mean(axis=0))


def test_gelu_is_near_x_times_the_normal_distribution():
    x = np.linspace(-6, 6, 101)
    phi = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x])
    # the tanh form differs from the normal distribution by 5e-4 at most
    assert np.abs(oracle.gelu(x) - x * phi).max() < 5e-4


def test_a_scale_of_s_turns_s_positions_as_far_as_one():
    x = RNG(11).standard_normal((2, 1, 8))
    slow = oracle.rope_frequencies(8, scale=4.0)
    assert np.allclose(oracle.rope(x, [4, 12], frequencies=slow), oracle.rope(x, [1, 3]))
    alone = oracle.rope_frequencies(8, factors=np.array([1, 1, 2, 8]))
    assert np.allclose(oracle.rope_frequencies(8) / alone, [1, 1, 2, 8])


def test_yarn_keeps_fast_pairs_divides_slow_ones_and_ramps_between():
    plain = oracle.rope_frequencies(64)
    ratio = oracle.yarn_frequencies(64, 10000.0, 8.0, 4096) / plain
    turns = 4096 * plain / (2 * np.pi)
    # the corners are rounded outwards to whole pairs
    assert np.all(ratio[turns > 32 * plain[0] / plain[1]] == 1)
    assert np.allclose(ratio[turns < plain[1] / plain[0]], 1 / 8)
    assert np.all(np.diff(ratio) <= 0)
    assert np.allclose(oracle.yarn_frequencies(64, 10000.0, 1.0, 4096), plain)


def test_the_magnitude_lengthens_what_was_turned_and_nothing_else():
    x = RNG(12).standard_normal((3, 2, 8))
    longer = oracle.rope(x, np.arange(3), n_rot=4, magnitude=1.5)
    turned = oracle.rope(x, np.arange(3), n_rot=4)
    assert np.allclose(longer[..., :4], 1.5 * turned[..., :4])
    assert np.array_equal(longer[..., 4:], x[..., 4:])


def test_rounded_activations_are_whole_steps_and_off_by_half_a_step_at_most():
    x = RNG(13).standard_normal((5, 64)).astype(np.float32)
    step = np.repeat(np.abs(x.reshape(5, 4, 16)).max(axis=2) / 127, 16, axis=1)
    codes = oracle.rounded(x) / step
    assert np.allclose(codes, np.rint(codes), atol=1e-4)
    assert np.abs(codes).max() == pytest.approx(127)
    assert (np.abs(oracle.rounded(x) - x) <= 0.5001 * step).all()
    assert np.array_equal(oracle.rounded(np.zeros((2, 16))), np.zeros((2, 16)))


def test_top_p_keeps_the_crossing_token():
    logits = np.log([0.5, 0.3, 0.2])
    assert np.isfinite(oracle.top_p(logits, 0.6)).tolist() == [True, True, False]
    assert np.isfinite(oracle.top_p(logits, 0.0)).tolist() == [True, False, False]


def test_draw_gives_each_token_its_share():
    logits = np.log([0.2, 0.5, 0.3])
    got = [oracle.draw(logits, u) for u in (np.arange(1000) + 0.5) / 1000]
    assert np.bincount(got).tolist() == [200, 500, 300]
