"""Every function gives zeros of the right shape."""

import numpy as np

FAILS = {
    "rms_norm_values": "wrong-value",
    "rms_norm_keeps_the_mean": "wrong-value",
    "rms_norm_eps": "wrong-value",
    "rms_norm_contract": "norm-float16-square",
    "rope_values": "wrong-value",
    "rope_base": "wrong-value",
    "rope_positions": "wrong-value",
    "rope_contract": "wrong-value",
    "causal_mask_square": "wrong-value",
    "causal_mask_after_a_cache": "wrong-value",
    "attention_values": "mask-inverted",
    "attention_groups": "mask-inverted",
    "attention_mask": "wrong-value",
    "attention_scores_of_any_size": "wrong-value",
    "attention_unused_slots": "mask-junk",
    "attention_blind_query": "wrong-value",
    "attention_contract": "mask-inverted",
    "swiglu_values": "wrong-value",
    "swiglu_contract": "wrong-value",
    "swiglu_large": "wrong-value",
    "layer_values": "wrong-value",
    "layer_residuals": "layer-ffn-residual-missing",
    "layer_passes_its_arguments": "wrong-value",
    "layer_causal": "wrong-value",
    "cache_contents": "wrong-value",
    "cache_decode": "wrong-value",
    "cache_chunks": "wrong-value",
    "cache_start": "wrong-value",
    "cache_continued_twice": "wrong-value",
}


def rms_norm(x, weight, eps=1e-5):
    return np.zeros(x.shape)


def rope(x, positions, base=10000.0):
    return np.zeros(x.shape)


def causal_mask(n_queries, n_keys):
    return np.zeros((n_queries, n_keys), bool)


def attention(q, k, v, mask):
    return np.zeros(q.shape)


def swiglu(x, w_gate, w_up, w_down):
    return np.zeros(x.shape)


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    return np.zeros(x.shape)


def layer_with_cache(
    x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0
):
    e = len(weights["attn_k"]) // n_kv_heads
    n = len(x) + (0 if cache is None else len(cache[0]))
    return np.zeros(x.shape), (np.zeros((n, n_kv_heads, e)), np.zeros((n, n_kv_heads, e)))
