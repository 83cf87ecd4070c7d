"""Right but noisy: overflow warnings, prints on both streams, a list as the cache, mixed float types."""

import sys

import numpy as np


def rms_norm(x, weight, eps=1e-5):
    print("rms_norm", x.shape)
    return weight * (x / np.linalg.norm(np.c_[x / np.float64(x.shape[-1]) ** 0.5, np.full(len(x), eps**0.5)], axis=-1)[:, None])


def causal_mask(n_queries, n_keys):
    print("mask", n_queries, n_keys, file=sys.stderr)
    return ~np.triu(np.ones((n_queries, n_keys), bool), k=1 + n_keys - n_queries)


def attention(q, k, v, mask):
    # A finite stand-in for minus infinity, far below any score; rows that see nothing are cleared.
    k = np.nan_to_num(np.float32(k), nan=0.0, posinf=0.0, neginf=0.0)
    v = np.nan_to_num(np.float32(v), nan=0.0, posinf=0.0, neginf=0.0)
    group = q.shape[1] // k.shape[1]
    heads = []
    for h in range(q.shape[1]):
        scores = q[:, h] @ k[:, h // group].T * q.shape[-1] ** -0.5
        scores = np.where(mask, scores, np.finfo(np.float32).min)
        e = np.exp(scores - scores.max(1, keepdims=True)) * mask
        heads.append(e / np.maximum(e.sum(1, keepdims=True), 1e-30) @ v[:, h // group])
    return np.stack(heads, axis=1)


def swiglu(x, w_gate, w_up, w_down):
    gate = np.float32(x) @ w_gate.T
    return np.float64(gate / (1 + np.exp(-gate)) * (np.float32(x) @ w_up.T)) @ w_down.T


def layer_with_cache(x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    print("cache of", None if cache is None else cache[0].shape)
    w = weights
    head_width = w["attn_q"].shape[0] // n_heads
    h = rms_norm(x, w["attn_norm"], eps)
    where = np.array([start + i for i in range(x.shape[0])], dtype=np.float64)
    k = rope((h @ w["attn_k"].T).reshape(-1, n_kv_heads, head_width), where, base)
    v = (h @ w["attn_v"].T).reshape(-1, n_kv_heads, head_width)
    if cache is not None:
        k = np.concatenate((np.copy(cache[0]), k), axis=0)
        v = np.concatenate((np.copy(cache[1]), v), axis=0)
    rows = []
    for t in range(x.shape[0]):  # one token at a time: each sees the keys up to its own
        q = rope((h[t] @ w["attn_q"].T).reshape(1, n_heads, head_width), where[t : t + 1], base)
        n_seen = len(k) - x.shape[0] + t + 1
        a = attention(q, k[:n_seen], v[:n_seen], np.ones((1, n_seen), bool))
        row = x[t] + w["attn_output"] @ a.ravel()
        more = swiglu(rms_norm(row[None], w["ffn_norm"], eps), w["ffn_gate"], w["ffn_up"], w["ffn_down"])
        rows.append(row + more[0])
    return [np.array(rows), [k, v]]
