"""attention and swiglu give zeros, and the layer gives its input back."""

import numpy as np

FAILS = {
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
    "layer_residuals": "layer-residual-from-input",
    "layer_passes_its_arguments": "wrong-value",
    "layer_causal": "wrong-value",
    "cache_decode": "wrong-value",
    "cache_chunks": "wrong-value",
    "cache_start": "wrong-value",
    "cache_continued_twice": "wrong-value",
}


def attention(q, k, v, mask):
    return np.zeros(q.shape)


def swiglu(x, w_gate, w_up, w_down):
    return np.zeros(x.shape)


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    return x.copy()
