"""eps is dropped by the layer and by the cached layer: one habit, charged once."""

import numpy as np

FAILS = {
    "layer_passes_its_arguments": "layer-eps-not-passed",
}


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    n = len(x)
    h = rms_norm(x, weights["attn_norm"])
    q = (h @ weights["attn_q"].T).reshape(n, n_heads, -1)
    k = (h @ weights["attn_k"].T).reshape(n, n_kv_heads, -1)
    v = (h @ weights["attn_v"].T).reshape(n, n_kv_heads, -1)
    q, k = rope(q, positions, base), rope(k, positions, base)
    a = attention(q, k, v, causal_mask(n, n))
    x = x + a.reshape(n, -1) @ weights["attn_output"].T
    h = rms_norm(x, weights["ffn_norm"])
    return x + swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])


def layer_with_cache(
    x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0
):
    n = len(x)
    positions = start + np.arange(n)
    h = rms_norm(x, weights["attn_norm"])
    q = rope((h @ weights["attn_q"].T).reshape(n, n_heads, -1), positions, base)
    k = rope((h @ weights["attn_k"].T).reshape(n, n_kv_heads, -1), positions, base)
    v = (h @ weights["attn_v"].T).reshape(n, n_kv_heads, -1)
    if cache is not None:
        k, v = np.concatenate([cache[0], k]), np.concatenate([cache[1], v])
    a = attention(q, k, v, causal_mask(n, len(k)))
    x = x + a.reshape(n, -1) @ weights["attn_output"].T
    h = rms_norm(x, weights["ffn_norm"])
    out = x + swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])
    return out, (k, v)
