"""Everything as einsum in float64, heads kept apart as (G, H / G), rotation by complex numbers."""

import numpy as np


def rms_norm(x, weight, eps=1e-5):
    x = np.asarray(x, dtype=np.float64)
    square = np.einsum("td,td->t", x, x) / x.shape[1]
    return np.einsum("td,t,d->td", x, (square + eps) ** -0.5, weight.astype(np.float64))


def rope(x, positions, base=10000.0):
    x = np.ascontiguousarray(x, dtype=np.float64)
    turn = np.exp(1j * np.outer(positions, float(base) ** -np.linspace(0, 1, x.shape[2] // 2, endpoint=False)))
    return np.einsum("thi,ti->thi", x.view(np.complex128), turn).view(np.float64)


def causal_mask(n_queries, n_keys):
    return np.tri(n_queries, n_keys, n_keys - n_queries, dtype=bool)


def attention(q, k, v, mask):
    n_queries, n_heads, width = q.shape
    keep = mask.any(0)
    k, v, mask = k[keep].astype(np.float64), v[keep].astype(np.float64), mask[:, keep]
    grouped = q.astype(np.float64).reshape(n_queries, k.shape[1], -1, width)
    if not keep.any():
        return np.zeros(q.shape)
    scores = np.einsum("tgje,sge->gjts", grouped, k) * width**-0.5
    scores[..., ~mask] = -np.inf
    scores -= scores.max(-1, keepdims=True, initial=np.finfo(np.float64).min)
    shares = np.exp(scores)
    norm = shares.sum(-1)
    out = np.einsum("gjts,sge->tgje", shares, v)
    norm[norm == 0] = 1
    return (out / np.moveaxis(norm, 2, 0)[..., None]).reshape(q.shape)


def swiglu(x, w_gate, w_up, w_down):
    x = x.astype(np.float64)
    gate = np.einsum("td,fd->tf", x, w_gate)
    sigmoid = 0.5 * (1 + np.tanh(gate / 2))
    return np.einsum("tf,tf,tf,df->td", gate, sigmoid, np.einsum("td,fd->tf", x, w_up), w_down)


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    h = rms_norm(x, weights["attn_norm"], eps)

    def heads(name, n):
        w = weights[name].reshape(n, -1, x.shape[1])
        return np.einsum("td,hed->the", h, w)

    q, k, v = heads("attn_q", n_heads), heads("attn_k", n_kv_heads), heads("attn_v", n_kv_heads)
    n = x.shape[0]
    a = attention(rope(q, positions, base), rope(k, positions, base), v, causal_mask(n, n))
    x = x + np.einsum("the,dhe->td", a, weights["attn_output"].reshape(x.shape[1], n_heads, -1))
    h = rms_norm(x, weights["ffn_norm"], eps)
    return x + swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])


def layer_with_cache(x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    (n, d), w = x.shape, weights
    e = len(w["attn_q"]) // n_heads
    k_past, v_past = cache if cache is not None else (np.zeros((0, n_kv_heads, e)),) * 2
    h = rms_norm(x, w["attn_norm"], eps)
    at = np.arange(start, start + n)
    q = rope(np.einsum("td,hed->the", h, w["attn_q"].reshape(n_heads, e, d)), at, base)
    k = rope(np.einsum("td,ged->tge", h, w["attn_k"].reshape(n_kv_heads, e, d)), at, base)
    v = np.einsum("td,ged->tge", h, w["attn_v"].reshape(n_kv_heads, e, d))
    k, v = np.vstack([k_past, k]), np.vstack([v_past, v])
    a = attention(q, k, v, causal_mask(n, len(k)))
    x = x + np.einsum("the,dhe->td", a, w["attn_output"].reshape(d, n_heads, e))
    h = rms_norm(x, w["ffn_norm"], eps)
    return x + swiglu(h, w["ffn_gate"], w["ffn_up"], w["ffn_down"]), (k, v)
