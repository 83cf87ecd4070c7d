"""Rows of ANSWERS against arithmetic done here, and the packaged model's against the engine."""

from __future__ import annotations

import inspect
import math
import re

import numpy as np
import pytest

from minengine import Engine, oracle
from quizzes import answers, specimen
from quizzes.answers import ANSWERS
from quizzes.answers.debugging import FAULTS, divergence

SIZES = {"D": 512, "H": 8, "G": 2, "E": 32, "F": 1280}


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("rms_norm", {"x1": 3, "x2": 4, "x3": 0, "x4": 0, "eps": 1}, 3 / math.sqrt(25 / 4 + 1)),
        ("kv_head", {"h": 5, "H": 8, "G": 2}, 1),
        ("kv_head", {"h": 3, "H": 8, "G": 2}, 0),
        ("shares_kv_head", {"h": 4, "other": 7, "H": 8, "G": 2}, True),
        ("shares_kv_head", {"h": 3, "other": 4, "H": 8, "G": 2}, False),
        ("visible_pairs", {"T": 3, "S": 5}, 3 + 4 + 5),
        ("attention_scale", {"E": 64}, 1 / 8),
        ("attention_output", {"s1": 1, "s2": 1, "v1": 10, "v2": 20}, 15),
        ("rope_angle", {"position": 7, "pair": 0, "E": 8, "base": 1e4}, 7),
        ("rope_angle", {"position": 10, "pair": 2, "E": 8, "base": 1e4}, 0.1),
        ("same_score", {"m": 9, "n": 4, "other_m": 5, "other_n": 0}, True),
        ("same_score", {"m": 9, "n": 4, "other_m": 4, "other_n": 9}, False),
        ("swiglu_unit", {"gate": 2, "up": 3}, 6 / (1 + math.exp(-2))),
        ("zeroed_layer_is", {"zeroed": "attn_output+ffn_down", "claim": "x"}, True),
        ("zeroed_layer_is", {"zeroed": "attn_output", "claim": "x + ffn"}, True),
        ("zeroed_layer_is", {"zeroed": "attn_q", "claim": "x + ffn"}, False),
        ("zeroed_layer_is", {"zeroed": "ffn_gate", "claim": "x"}, False),
        # LLaMA-2 70B, per token in 16 bits: 2.5 MiB with 64 key/value heads, 0.3125 MiB with 8
        ("kv_bytes", {"L": 80, "G": 64, "E": 128}, 2.5 * 2**20),
        ("kv_bytes", {"L": 80, "G": 8, "E": 128}, 0.3125 * 2**20),
        ("kv_tokens", {"budget_bytes": 2**30, "L": 32, "G": 8, "E": 128}, 2**30 // 131072),
        ("kv_share", {"H": 32, "G": 8}, 0.25),
        ("tensor_shape", {"tensor": "attn_k", **SIZES}, (64, 512)),
        ("tensor_shape", {"tensor": "ffn_down", **SIZES}, (512, 1280)),
        ("n_parameters", {"part": "attention", **SIZES}, 512 * 32 * (8 + 2 + 2 + 8)),
        ("n_parameters", {"part": "feed-forward", **SIZES}, 3 * 512 * 1280),
        ("matmul_flop", {"part": "query", "T": 3, **SIZES}, 2 * 3 * 512 * 256),
        ("attention_flop", {"H": 8, "E": 32, "S": 100}, 4 * 8 * 32 * 100),
        ("text_length", {"text": "a b c"}, 5),
        ("word_count", {"text": "a b c"}, 3),
    ],
)
def test_a_row_gives_what_arithmetic_gives(name, arguments, value):
    got = ANSWERS[name](**arguments)
    assert got == pytest.approx(value, rel=1e-12)
    assert type(got) in (int, float, bool, tuple, str)


def test_norm_changes_is_true_for_all_but_a_positive_factor():
    got = {c: ANSWERS["norm_changes"](c, 3) for c in ("scale", "shift", "negate", "weight", "both")}
    assert got == {"scale": False, "shift": True, "negate": True, "weight": True, "both": True}


MISTAKEN = {
    "x1": 5,
    "x2": -3,
    "x3": 1,
    "x4": 3,
    "eps": 0.5,
    "s1": 1,
    "s2": 3,
    "v1": 10,
    "v2": 30,
    "position": 9,
    "pair": 3,
    "E": 16,
    "base": 100,
    "gate": 1.5,
    "up": -3,
    "s3": 5,
    "s4": 2,
    "n": 32,
    "B": 16,
    "n1": 32,
    "n2": 10,
    "n3": 5,
    "j": 21,
    "t0": 3,
    "t1": 9,
    "t2": 5,
    "logits": "2 1 0",
    "t": 3.0,
    "p": "0.5 0.25 0.1",
    "logit": -4.0,
    "repeat": 1.5,
    "tau": 3.0,
    "eta": 0.1,
    "mu": 5.0,
    "n_out": 64,
    "n_in": 256,
    "format_name": "Q4_0",
    "i": 3,
    "k": 5,
    "ne0": 32,
    "ne1": 7,
    "index": 17,
    "byte": 165,
    "scale": 0.5,
    "peak": 1e12,
    "bandwidth": 1e11,
    "T": 8,
    "D": 16,
    "F": 48,
    "L": 4,
    "a": 4,
    "b": 1,
    "c": -2,
    "d": 3,
    "error": 0.2,
}
OF_ONE = {  # arguments that mean something else in this row
    "mirostat_mu_mistake": {"p": 0.5},
    "element_offset_mistake": {"format_name": "F16"},
    "third_offset_mistake": {"n1": 33, "n2": 33, "format_name": "F16"},
    "slot_of_mistake": {"B": 8, "t0": 1, "t2": 6},
}


@pytest.mark.parametrize("name", [n for n in ANSWERS if n.endswith("_mistake")])
def test_no_mistake_gives_the_right_answer(name):
    right, values = ANSWERS[name.removesuffix("_mistake")], MISTAKEN | OF_ONE.get(name, {})
    wrong, correct = (
        {k: values[k] for k in inspect.signature(f).parameters if k in values}
        for f in (ANSWERS[name], right)
    )
    mistakes = re.findall(r'"([^"\n]+)": ', inspect.getsource(ANSWERS[name]))
    assert len(mistakes) >= 2
    # of an optional argument that the mistake does not have there is nothing to compare
    correct = {k: v for k, v in correct.items() if k in wrong}
    got = [ANSWERS[name](mistake=m, **wrong) for m in mistakes]
    rounded = {v if isinstance(v, str) else round(float(v), 9) for v in [right(**correct), *got]}
    assert len(rounded) == len(got) + 1, [right(**correct), *zip(mistakes, got, strict=True)]


def test_every_row_has_a_name_of_its_own():
    modules = [m for m in vars(answers).values() if inspect.ismodule(m)]
    rows = [row for m in modules for row in m.ROWS]
    assert len(rows) == len(ANSWERS) == len({id(row) for row in rows})


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        # attention
        ("visible_keys", {"position": 20, "window": 8}, 8),
        ("visible_keys", {"position": 5, "window": 8}, 6),
        ("window_pairs", {"T": 5, "window": 2}, 1 + 4 * 2),
        ("window_reach", {"L": 3, "window": 4}, 3 * 3),
        ("mask_rows", {"T": 2, "S": 3}, "[[1, 1, 0], [1, 1, 1]]"),
        ("online_sum", {"s1": 1, "s2": 3, "s3": 5, "s4": 2},
         math.exp(-4) + math.exp(-2) + 1 + math.exp(-3)),
        ("rescale_factor", {"old": 1, "new": 3}, math.exp(-2)),
        ("score_matrix_bytes", {"H": 8, "T": 10, "S": 30}, 8 * 10 * 30 * 4),
        ("kv_heads_read", {"H": 4, "G": 2}, "[0, 0, 1, 1]"),
        ("cache_intensity", {"H": 32, "G": 8, "E": 128, "S": 100}, 4),
        ("crossover", {"D": 8, "H": 2, "G": 1, "E": 4, "F": 16},
         2 * (8 * 8 * 2 + 4 * 8 * 2 + 3 * 8 * 16) / (4 * 2 * 4)),
        ("rope_partner", {"c": 3, "E": 16, "pairing": "norm"}, 2),
        ("rope_partner", {"c": 3, "E": 16, "pairing": "neox"}, 11),
        ("rope_wavelength", {"pair": 0, "E": 8, "base": 1e4}, 2 * math.pi),
        ("scaled_angle", {"position": 100, "pair": 0, "E": 8, "scale": 4}, 25),
        # cache
        ("blocks_for", {"n": 33, "B": 16}, 3),
        ("unused_slots", {"n1": 16, "n2": 17, "n3": 1, "B": 16}, 15 + 15),
        ("slot_of", {"j": 5, "B": 4, "t0": 7, "t1": 2, "t2": 9}, 2 * 4 + 1),
        ("sequences_that_fit", {"n_blocks": 100, "B": 16, "n": 50}, 25),
        ("prefix_blocks", {"n_first": 50, "n_second": 60, "n_common": 35, "B": 16}, 2),
        ("prefix_blocks", {"n_first": 32, "n_second": 32, "n_common": 32, "B": 16}, 1),
        ("copies_on_write", {"n": 10, "B": 4, "forks": 2, "writers": 3}, 2),
        ("copies_on_write", {"n": 8, "B": 4, "forks": 2, "writers": 3}, 0),
        ("blocks_after_forks", {"n": 10, "B": 4, "forks": 3, "more": 4}, 2 + 1 + 3 * 2),
        ("rewind_frees", {"n": 17, "kept": 8, "B": 4}, 5 - 2),
        ("is_victim", {"block": "C", "policy": "lru", "uses": "A A D B"}, True),
        ("is_victim", {"block": "A", "policy": "fifo", "uses": "A A D B"}, True),
        ("is_victim", {"block": "C", "policy": "lfu", "uses": "A A D B"}, True),
        ("kept_tokens", {"policy": "sinks", "n": 9, "n_kept": 5, "n_sinks": 2}, "[0, 1, 6, 7, 8]"),
        ("next_position", {"policy": "window", "n": 40, "n_kept": 20, "n_sinks": 4}, 40),
        ("next_position", {"policy": "sinks", "n": 40, "n_kept": 20, "n_sinks": 4}, 20),
        ("passes_until_token", {"n": 50, "n_batch": 16, "n_decoding": 3}, 4),
        ("tokens_computed", {"n_prompt": 10, "n_new": 3, "cached": 0}, 10 + 11 + 12),
        ("tokens_computed", {"n_prompt": 10, "n_new": 3, "cached": 1}, 12),
        ("decode_seconds", {"weights_gb": 8, "bandwidth_gb": 400, "kv_gb": 1, "n": 4}, 0.03),
        ("batch_gain", {"weights_gb": 8, "kv_gb": 1, "n": 4}, 4 * 9 / 12),
        ("quantized_share", {"E": 64, "format_name": "Q8_0"}, 34 / 64),
        # sampling
        ("softmax_at", {"logits": "2 1 0", "t": 2.0},
         1 / (1 + math.exp(-0.5) + math.exp(-1))),
        ("n_left_top_p", {"p": "0.4 0.3 0.2 0.1", "top_p": 0.65}, 2),
        ("n_left_top_k_p", {"p": "0.4 0.3 0.2 0.1", "top_k": 2, "top_p": 0.5}, 1),
        ("n_left_min_p", {"p": "0.4 0.3 0.2 0.1", "min_p": 0.4}, 3),
        ("penalized", {"logit": -3.0, "n": 2, "repeat": 1.5}, -4.5),
        ("penalized", {"logit": 3.0, "n": 2, "repeat": 1.5}, 2),
        ("penalized", {"logit": 3.0, "n": 4, "frequency": 0.25, "presence": 0.5}, 1.5),
        ("drawn", {"p": "0.1 0.2 0.4 0.3", "u": 0.33}, 2),
        ("mirostat_mu", {"tau": 3.0, "eta": 0.1, "mu": 5.0, "p": 0.125}, 5),
        ("mirostat_mu", {"tau": 3.0, "eta": 0.1, "mu": 5.0, "p": 0.5}, 5.2),
        ("mirostat_kept", {"p": "0.5 0.25 0.125 0.125", "mu": 2.5}, 2),
        ("perplexity", {"p": "0.5 0.25 0.125"}, 4),
        ("is_typical", {"p": "0.5 0.25 0.15 0.1", "which": 1}, True),
        # memory
        ("ggml_shape", {"n_out": 3, "n_in": 5}, "[5, 3, 1, 1]"),
        ("stride_bytes", {"axis": 2, "ne0": 4, "ne1": 5, "ne2": 6, "format_name": "F16"}, 40),
        ("row_stride", {"n": 64, "format_name": "Q4_0"}, 36),
        ("element_offset", {"i": 1, "j": 2, "k": 3, "ne0": 10, "ne1": 5, "format_name": "F32"},
         4 * (1 + 10 * (2 + 5 * 3))),
        ("bits_per_weight", {"format_name": "Q6_K"}, 6.5625),
        ("matrix_bytes", {"n_out": 3, "n_in": 64, "format_name": "Q8_0"}, 3 * 68),
        ("q4_0_element", {"index": 2, "byte": 0xA5, "scale": 0.5}, -1.5),
        ("q4_0_element", {"index": 20, "byte": 0xA5, "scale": 0.5}, 1),
        ("third_offset", {"n1": 100, "n2": 77, "format_name": "F16"}, 224 + 160),
        ("lines_over_use", {"n_rows": 100, "n_columns": 512, "format_name": "F32"}, 16),
        ("lines_over_use", {"n_rows": 4096, "n_columns": 4, "format_name": "F32"}, 4),
        ("matvec_intensity", {"format_name": "F16", "n": 4}, 4),
        ("attained", {"peak": 1e12, "bandwidth": 1e11, "format_name": "F16", "n": 2}, 2e11),
        ("attained", {"peak": 1e12, "bandwidth": 1e11, "format_name": "F16", "n": 99}, 1e12),
        ("ridge_batch", {"peak": 1e12, "bandwidth": 3e11, "format_name": "F16"}, 4),
        ("tokens_a_second", {"n_parameters": 8e9, "bandwidth": 1e11, "format_name": "Q8_0"},
         1e11 / 8.5e9),
        ("scratch_bytes", {"T": 8, "D": 16, "F": 48}, 4 * 8 * (32 + 96)),
        # debugging
        ("bisect_steps", {"L": 32}, 5),
        ("nrms_of", {"a": 1, "b": -1, "c": 1, "d": -1, "error": 0.1}, math.sqrt(0.05 / 4)),
        ("makes_nan", {"what": "inf / inf"}, True),
        ("makes_nan", {"what": "exp"}, False),
        ("same_rows", {"n": 4, "first": 2}, "[True, True, False, False]"),
        ("sampled_shares", {"bug": "multiplied", "p": "0.5 0.5", "t": 2.0, "top_p": 1.0},
         "0.50  0.50"),
        # serving
        ("model_bytes", {"billions": 8, "format_name": "Q8_0"}, 8.5e9),
        ("tokens_per_pass", {"accept": 0.5, "k": 2}, 1.75),
        ("speculation_gain", {"accept": 0.5, "k": 2, "cost": 0.1}, 1.75 / 1.2),
        ("overflows_at", {"format_name": "F16"}, math.log(65504)),
        ("shared_blocks_saved", {"n_users": 3, "n_common": 50, "B": 16}, 6),
    ],
)  # fmt: skip
def test_a_row_of_the_later_banks_gives_what_arithmetic_gives(name, arguments, value):
    got = ANSWERS[name](**arguments)
    assert got == (value if isinstance(value, str) else pytest.approx(value, rel=1e-6))
    assert type(got) in (int, float, bool, str)


def test_the_packaged_model_shows_what_each_test_sees_of_a_bug():
    shows, differ = ANSWERS["fault_shows"], ANSWERS["two_passes_differ"]
    assert [f for f in FAULTS if f and not shows(f, 1)] == [
        "pairing", "sign", "from-one", "restarts", "no-scale", "no-mask", "top-left",
    ]  # fmt: skip
    assert [f for f in FAULTS if f and not shows(f, 9)] == ["from-one", "restarts", "top-left"]
    assert [f for f in FAULTS if f and differ(f, 9, 6)] == ["restarts", "no-mask", "top-left"]


def test_the_broken_layer_is_where_the_error_jumps():
    for broken in (1, 2, 3):
        assert ANSWERS["broken_layer"]("pairing", broken) == broken
    errors = divergence("pairing", 2)
    assert 1e-6 < max(errors[1:3]) < 1e-2 < errors[3]


def test_the_packaged_models_sizes_come_from_its_file():
    model = Engine().model
    layers = model.hparams.n_layers * ANSWERS["model_parameters"]("blk.0.")
    rest = ANSWERS["model_parameters"]("token_embd") + ANSWERS["model_parameters"]("output")
    assert layers + rest == model.n_parameters == ANSWERS["model_parameters"]("")
    assert ANSWERS["model_size"]("D") == model.hparams.D
    h = model.hparams
    assert ANSWERS["model_kv_bytes"](10) == 10 * 2 * h.n_layers * h.G * h.E * 2


def test_a_token_count_has_one_token_more_with_bos():
    ids = Engine().tokenize("What is the matter?")
    assert ANSWERS["token_count"]("What is the matter?") == len(ids)
    assert ANSWERS["token_count"]("What is the matter?", bos=0) == len(ids) - 1


def test_the_next_token_is_what_greedy_generation_prints():
    engine = Engine(mode="exact")
    for prompt in ("My lord, I", "Come, let us"):
        ids = engine.tokenize(prompt)
        best = int(np.argmax(engine.logits(ids)[-1]))
        assert specimen.greedy_text(prompt)[0][0] == engine.detokenize([best])


def test_the_residual_stream_of_the_oracle_ends_in_the_engines_logits():
    engine, text = Engine(mode="exact"), "Where is the king"
    h, ids = engine.model.hparams, engine.tokenize(text)
    x = oracle.embed(engine.model.token_embd.dequantize(), np.array(ids))
    for weights in specimen.layer_weights():
        x, _ = oracle.layer(
            x, weights, np.arange(len(ids)),
            n_heads=h.H, n_kv_heads=h.G, eps=h.eps, base=h.rope_base,
        )  # fmt: skip
    assert specimen.residual_rms(text, h.n_layers) == pytest.approx(np.sqrt(np.mean(x[-1] ** 2)))
    normed = oracle.rms_norm(x, engine.model.output_norm, h.eps)
    logits = oracle.matmul(normed, engine.model.output.dequantize())
    # float32 sums of a few hundred terms against float64
    np.testing.assert_allclose(engine.logits(ids), logits, rtol=1e-4, atol=1e-4)
    assert len(specimen.residual_stream(text)) == h.n_layers + 1
