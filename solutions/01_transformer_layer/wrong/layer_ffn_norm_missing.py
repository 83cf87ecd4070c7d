"""No norm before the feed-forward part."""

import numpy as np

FAILS = {
    "layer_values": "layer-ffn-norm-missing",
}


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    n = len(x)
    h = rms_norm(x, weights["attn_norm"], eps)
    q = (h @ weights["attn_q"].T).reshape(n, n_heads, -1)
    k = (h @ weights["attn_k"].T).reshape(n, n_kv_heads, -1)
    v = (h @ weights["attn_v"].T).reshape(n, n_kv_heads, -1)
    q, k = rope(q, positions, base), rope(k, positions, base)
    a = attention(q, k, v, causal_mask(n, n))
    x = x + a.reshape(n, -1) @ weights["attn_output"].T
    h = x
    return x + swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])
