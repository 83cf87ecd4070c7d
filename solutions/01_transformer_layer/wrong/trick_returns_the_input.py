"""Every function gives its first argument back."""

import numpy as np

FAILS = {
    "rms_norm_values": "wrong-value",
    "rms_norm_keeps_the_mean": "wrong-value",
    "rms_norm_eps": "wrong-value",
    "rms_norm_contract": "wrong-value",
    "rope_values": "rope-nothing-turned",
    "rope_base": "rope-nothing-turned",
    "rope_positions": "rope-nothing-turned",
    "rope_contract": "rope-nothing-turned",
    "causal_mask_square": "mask-all",
    "causal_mask_after_a_cache": "mask-all",
    "attention_values": "wrong-value",
    "attention_groups": "wrong-value",
    "attention_mask": "wrong-value",
    "attention_scores_of_any_size": "wrong-value",
    "attention_unused_slots": "mask-junk",
    "attention_blind_query": "wrong-value",
    "attention_contract": "wrong-value",
    "swiglu_values": "wrong-value",
    "swiglu_contract": "wrong-value",
    "swiglu_large": "wrong-value",
    "layer_values": "wrong-value",
    "layer_residuals": "layer-residual-from-input",
    "layer_passes_its_arguments": "wrong-value",
    "layer_causal": "wrong-value",
    "cache_contents": "wrong-shape",
    "cache_decode": "wrong-value",
    "cache_chunks": "wrong-value",
    "cache_start": "wrong-value",
    "cache_continued_twice": "result-is-a-view",
}


def rms_norm(x, weight, eps=1e-5):
    return x.copy()


def rope(x, positions, base=10000.0):
    return x.copy()


def causal_mask(n_queries, n_keys):
    return np.ones((n_queries, n_keys), bool)


def attention(q, k, v, mask):
    return q.copy()


def swiglu(x, w_gate, w_up, w_down):
    return x.copy()


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    return x.copy()


def layer_with_cache(
    x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0
):
    return x.copy(), (x[:, :n_kv_heads, None], x[:, :n_kv_heads, None])
