"""float32 in place, always on copies of its own; layer is the cached layer without a cache."""

import numpy as np


def rms_norm(x, weight, eps=1e-5):
    out = np.array(x, dtype=np.float32)
    out /= np.sqrt((out**2).mean(axis=1, dtype=np.float32) + np.float32(eps))[:, np.newaxis]
    out *= weight
    return out


def rope(x, positions, base=10000.0):
    out = np.array(x, dtype=np.float32)
    for i in range(out.shape[2] // 2):
        angle = (np.float32(base) ** np.float32(-2 * i / out.shape[2]) * positions).astype(np.float32)
        c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
        a = out[:, :, 2 * i].copy()
        out[:, :, 2 * i] *= c
        out[:, :, 2 * i] -= out[:, :, 2 * i + 1] * s
        out[:, :, 2 * i + 1] *= c
        out[:, :, 2 * i + 1] += a * s
    return out


def causal_mask(n_queries, n_keys):
    mask = np.ones((n_queries, n_keys), dtype=bool)
    for t in range(n_queries):
        mask[t, n_keys - n_queries + t + 1 :] = False
    return mask


def attention(q, k, v, mask):
    out = np.zeros(q.shape, dtype=np.float32)
    per_group = q.shape[1] // k.shape[1]
    alive = np.flatnonzero(mask.any(axis=0))
    hidden = np.where(mask[:, alive], np.float32(0), np.float32(-np.inf))
    blind = ~mask.any(axis=1)
    for h in range(q.shape[1] if len(alive) else 0):
        scores = q[:, h].astype(np.float32) @ k[alive, h // per_group].astype(np.float32).T
        scores /= np.sqrt(np.float32(q.shape[2]))
        scores += hidden
        scores[blind] = 0
        scores -= scores.max(axis=1)[:, None]
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1)[:, None]
        scores[blind] = 0
        out[:, h] = scores @ v[alive, h // per_group].astype(np.float32)
    return out


def swiglu(x, w_gate, w_up, w_down):
    hidden = x.astype(np.float32) @ w_gate.T
    with np.errstate(over="ignore"):
        hidden /= 1 + np.exp(-hidden)
    hidden *= x.astype(np.float32) @ w_up.T
    return hidden @ w_down.T


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    return run(x, weights, positions, None, n_heads, n_kv_heads, eps, base)[0]


def run(x, weights, positions, cache, n_heads, n_kv_heads, eps, base):
    stream = np.array(x, dtype=np.float32)
    h = rms_norm(stream, weights["attn_norm"], eps)
    q, k, v = (h @ weights[f"attn_{c}"].T for c in "qkv")
    k = rope(k.reshape(len(x), n_kv_heads, -1), positions, base)
    v = v.reshape(k.shape)
    q = rope(q.reshape(len(x), n_heads, -1), positions, base)
    n_past = 0 if cache is None else len(cache[0])
    keys = np.zeros((n_past + len(x), *k.shape[1:]), np.float32)
    values = np.zeros_like(keys)
    if n_past:
        keys[:n_past], values[:n_past] = cache
    keys[n_past:], values[n_past:] = k, v
    a = attention(q, keys, values, causal_mask(len(q), len(keys)))
    stream += a.reshape(len(x), -1) @ weights["attn_output"].T
    h = rms_norm(stream, weights["ffn_norm"], eps)
    stream += swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])
    return stream, (keys, values)


def layer_with_cache(x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    positions = np.arange(start, start + len(x))
    return run(x, weights, positions, cache, n_heads, n_kv_heads, eps, base)
