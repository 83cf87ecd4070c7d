"""base is not handed on to rope in a cached step."""

import numpy as np

FAILS = {
    "cache_start": "layer-base-not-passed",
}


def layer_with_cache(
    x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0
):
    n = len(x)
    positions = start + np.arange(n)
    h = rms_norm(x, weights["attn_norm"], eps)
    q = rope((h @ weights["attn_q"].T).reshape(n, n_heads, -1), positions)
    k = rope((h @ weights["attn_k"].T).reshape(n, n_kv_heads, -1), positions)
    v = (h @ weights["attn_v"].T).reshape(n, n_kv_heads, -1)
    if cache is not None:
        k, v = np.concatenate([cache[0], k]), np.concatenate([cache[1], v])
    a = attention(q, k, v, causal_mask(n, len(k)))
    x = x + a.reshape(n, -1) @ weights["attn_output"].T
    h = rms_norm(x, weights["ffn_norm"], eps)
    out = x + swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])
    return out, (k, v)
