"""Rows of ANSWERS against arithmetic done here, and the packaged model's against the engine."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pytest

from minengine import Engine, oracle
from quizzes import specimen
from quizzes.answers import ANSWERS

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


@pytest.mark.parametrize("name", [n for n in ANSWERS if n.endswith("_mistake")])
def test_no_mistake_gives_the_right_answer(name):
    right = ANSWERS[name.removesuffix("_mistake")]
    values = {"x1": 5, "x2": -3, "x3": 1, "x4": 3, "eps": 0.5, "s1": 1, "s2": 3, "v1": 10, "v2": 30}
    values |= {"position": 9, "pair": 3, "E": 16, "base": 100, "gate": 1.5, "up": -3}
    arguments = {k: values[k] for k in inspect.signature(right).parameters}
    source = inspect.getsource(ANSWERS[name])
    mistakes = [w.split('"')[1] for w in source.split("{", 1)[1].splitlines() if '": ' in w]
    assert len(mistakes) >= 3
    got = [ANSWERS[name](mistake=m, **arguments) for m in mistakes]
    assert len({round(g, 9) for g in [right(**arguments), *got]}) == len(got) + 1


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
