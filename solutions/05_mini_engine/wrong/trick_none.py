"""Pieces that do nothing at all and say so."""

FAILS = {
    "gguf_metadata": "wrong-type",
    "gguf_tensors": "wrong-type",
    "gguf_alignment": "wrong-type",
    "gguf_refuses_header": "accepts-magic",
    "gguf_refuses_tensors": "accepts-tensor-twice",
    "plain_formats": "wrong-type",
    "format_q8_0": "wrong-type",
    "format_q4_0": "wrong-type",
    "dequantize_refuses": "accepts-kind",
    "norm_values": "wrong-type",
    "rope_pairs": "wrong-type",
    "rope_base": "wrong-type",
    "attention_scores": "wrong-type",
    "attention_groups": "wrong-type",
    "attention_mask": "wrong-type",
    "attention_large": "wrong-type",
    "ffn_values": "wrong-type",
    "ffn_large": "wrong-type",
    "cache_rows": "missing",
    "cache_rewind": "missing",
    "cache_full": "missing",
    "cache_apart": "missing",
    "model_one_token": "missing",
    "model_prompt": "missing",
    "model_defaults": "missing",
    "model_cached": "missing",
    "model_two_texts": "missing",
    "model_packaged": "missing",
    "model_refuses": "missing",
    "decode_time": "missing",
    "decode_time_strict": "missing",
    "prefill_time": "error",
    "prefill_time_strict": "error",
    "decode_work": "missing",
    "sample_greedy": "greedy-not-the-largest",
    "sample_draw": "wrong-type",
    "sample_filters": "wrong-type",
    "sample_order": "wrong-type",
    "generate_greedy": "wrong-type",
    "generate_packaged": "wrong-type",
    "generate_stop": "wrong-type",
    "generate_work": "wrong-type",
    "tests_pass": "wrong-type",
    "tests_catch_reading": "wrong-type",
    "tests_catch_layers": "wrong-type",
    "tests_catch_running": "wrong-type",
    "tests_catch_writing": "wrong-type",
    "style_ruff": "nothing-to-judge",
    "style_size": "nothing-to-judge",
    "style_types": "nothing-to-judge",
    "style_docstrings": "nothing-to-judge",
}


def read_gguf(data):
    return None


def dequantize(kind, shape, raw):
    return None


def rms_norm(x, weight, eps):
    return None


def rope(x, positions, base):
    return None


def attention(q, k, v, start=0):
    return None


def feed_forward(x, gate, up, down):
    return None


class KVCache:
    def __init__(self, *args, **named):
        pass


class Model:
    def __init__(self, *args, **named):
        pass


def sample(logits, u, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, *args, **named):
    return None


def generate(model, prompt, n_new, *args, **named):
    return None


def self_test(data):
    import os, sys
    l = lambda: None
    return None
