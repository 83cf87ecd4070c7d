"""Assignment 1, the reference: one transformer layer in float32 NumPy, written to be read.

``np`` is what the notebook's first cell imports.
"""


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + eps) * weight.astype(np.float32)


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    frequencies = base ** (-np.arange(0, width, 2) / width)
    angles = positions[:, None] * frequencies  # (T, E / 2)
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]  # the same for every head
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty(x.shape, np.float32)
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out


def causal_mask(n_queries, n_keys):
    query, key = np.arange(n_queries)[:, None], np.arange(n_keys)[None, :]
    return key <= query + (n_keys - n_queries)


def attention(q, k, v, mask):
    width, group = q.shape[2], q.shape[1] // k.shape[1]
    used = mask.any(axis=0)[:, None, None]  # a slot that nobody looks at may hold anything
    k = np.where(used, k, 0).astype(np.float32).repeat(group, axis=1)  # (S, H, E)
    v = np.where(used, v, 0).astype(np.float32).repeat(group, axis=1)
    scores = np.einsum("the,she->hts", q.astype(np.float32), k) / np.float32(np.sqrt(width))
    scores = np.where(mask, scores, -np.inf)
    top = scores.max(axis=-1, keepdims=True)
    e = np.exp(scores - np.where(np.isfinite(top), top, 0))
    total = e.sum(axis=-1, keepdims=True)
    weights = e / np.where(total == 0, 1, total)  # a query that sees nothing: all zeros
    return np.einsum("hts,she->the", weights, v)


def swiglu(x, w_gate, w_up, w_down):
    x = x.astype(np.float32)
    gate, up = x @ w_gate.T, x @ w_up.T  # (T, F) each
    e = np.exp(-np.abs(gate))  # at most 1, so nothing overflows
    sigmoid = np.where(gate >= 0, 1, e) / (1 + e)
    return (gate * sigmoid * up) @ w_down.T


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    n = len(x)
    h = rms_norm(x, weights["attn_norm"], eps)
    q = (h @ weights["attn_q"].T).reshape(n, n_heads, -1)
    k = (h @ weights["attn_k"].T).reshape(n, n_kv_heads, -1)
    v = (h @ weights["attn_v"].T).reshape(n, n_kv_heads, -1)
    q, k = rope(q, positions, base), rope(k, positions, base)
    a = attention(q, k, v, causal_mask(n, n))
    x = x + a.reshape(n, -1) @ weights["attn_output"].T
    h = rms_norm(x, weights["ffn_norm"], eps)
    return x + swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])


def layer_with_cache(
    x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0
):
    n = len(x)
    positions = start + np.arange(n)
    h = rms_norm(x, weights["attn_norm"], eps)
    q = rope((h @ weights["attn_q"].T).reshape(n, n_heads, -1), positions, base)
    k = rope((h @ weights["attn_k"].T).reshape(n, n_kv_heads, -1), positions, base)
    v = (h @ weights["attn_v"].T).reshape(n, n_kv_heads, -1)
    if cache is not None:
        k, v = np.concatenate([cache[0], k]), np.concatenate([cache[1], v])
    a = attention(q, k, v, causal_mask(n, len(k)))
    x = x + a.reshape(n, -1) @ weights["attn_output"].T
    h = rms_norm(x, weights["ffn_norm"], eps)
    out = x + swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])
    return out, (k, v)
