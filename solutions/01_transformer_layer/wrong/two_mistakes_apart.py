"""One mistake in rope and one in the layer: each is named and charged where it is."""

import numpy as np

FAILS = {
    "rope_values": "rope-pairs",
    "rope_base": "rope-pairs",
    "rope_positions": "rope-pairs",
    "rope_contract": "rope-pairs",
    "layer_values": "layer-residual-missing",
    "layer_residuals": "layer-residual-missing",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    frequencies = base ** (-np.arange(0, width, 2) / width)
    angles = positions[:, None] * frequencies  # (T, E / 2)
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]  # the same for every head
    half = width // 2
    a, b = x[..., :half], x[..., half:]
    out = np.empty(x.shape, np.float32)
    out[..., :half] = a * cos - b * sin
    out[..., half:] = a * sin + b * cos
    return out


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    n = len(x)
    h = rms_norm(x, weights["attn_norm"], eps)
    q = (h @ weights["attn_q"].T).reshape(n, n_heads, -1)
    k = (h @ weights["attn_k"].T).reshape(n, n_kv_heads, -1)
    v = (h @ weights["attn_v"].T).reshape(n, n_kv_heads, -1)
    q, k = rope(q, positions, base), rope(k, positions, base)
    a = attention(q, k, v, causal_mask(n, n))
    x = a.reshape(n, -1) @ weights["attn_output"].T
    h = rms_norm(x, weights["ffn_norm"], eps)
    return x + swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])
