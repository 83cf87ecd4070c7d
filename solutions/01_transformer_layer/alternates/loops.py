"""Plain loops over Python floats: no broadcasting anywhere, float64 throughout."""

import math

import numpy as np


def rms_norm(x, weight, eps=1e-5):
    out = np.zeros(x.shape)
    for t, row in enumerate(x):
        total = 0.0
        for value in row:
            total += float(value) ** 2
        scale = 1.0 / math.sqrt(total / len(row) + eps)
        for i, value in enumerate(row):
            out[t, i] = float(value) * scale * float(weight[i])
    return out


def rope(x, positions, base=10000.0):
    n_tokens, n_heads, width = x.shape
    out = np.zeros(x.shape)
    for t in range(n_tokens):
        for i in range(width // 2):
            angle = float(positions[t]) / base ** (2 * i / width)
            c, s = math.cos(angle), math.sin(angle)
            for h in range(n_heads):
                a, b = float(x[t, h, 2 * i]), float(x[t, h, 2 * i + 1])
                out[t, h, 2 * i] = a * c - b * s
                out[t, h, 2 * i + 1] = a * s + b * c
    return out


def causal_mask(n_queries, n_keys):
    rows = []
    for t in range(n_queries):
        seen = n_keys - n_queries + t + 1
        rows.append([True] * seen + [False] * (n_keys - seen))
    return np.array(rows, dtype=bool)


def attention(q, k, v, mask):
    n_queries, n_heads, width = q.shape
    heads_per_group = n_heads // k.shape[1]
    out = np.zeros(q.shape)
    for h in range(n_heads):
        g = h // heads_per_group
        for t in range(n_queries):
            seen = [s for s in range(len(k)) if mask[t, s]]
            if not seen:
                continue
            scores = []
            for s in seen:
                dot = sum(float(q[t, h, e]) * float(k[s, g, e]) for e in range(width))
                scores.append(dot / math.sqrt(width))
            top = max(scores)
            shares = [math.exp(score - top) for score in scores]
            for share, s in zip(shares, seen):
                for e in range(width):
                    out[t, h, e] += share / sum(shares) * float(v[s, g, e])
    return out


def silu(value):
    return value / (1.0 + math.exp(-value)) if value > -700.0 else 0.0


def swiglu(x, w_gate, w_up, w_down):
    out = np.zeros(x.shape)
    for t, row in enumerate(x):
        hidden = []
        for gate_row, up_row in zip(w_gate, w_up):
            gate = sum(float(a) * float(b) for a, b in zip(row, gate_row))
            up = sum(float(a) * float(b) for a, b in zip(row, up_row))
            hidden.append(silu(gate) * up)
        for i, down_row in enumerate(w_down):
            out[t, i] = sum(a * float(b) for a, b in zip(hidden, down_row))
    return out


def layer(x, weights, positions, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    out, _ = forward(x, weights, positions, None, n_heads, n_kv_heads, eps, base)
    return out


def layer_with_cache(x, weights, start, cache, n_heads, n_kv_heads, eps=1e-5, base=10000.0):
    positions = [start + t for t in range(len(x))]
    return forward(x, weights, positions, cache, n_heads, n_kv_heads, eps, base)


def project(rows, weight, n_heads):
    out = np.zeros((len(rows), len(weight)))
    for t, row in enumerate(rows):
        for o, weight_row in enumerate(weight):
            out[t, o] = sum(float(a) * float(b) for a, b in zip(row, weight_row))
    return out.reshape(len(rows), n_heads, len(weight) // n_heads)


def forward(x, weights, positions, cache, n_heads, n_kv_heads, eps, base):
    h = rms_norm(x, weights["attn_norm"], eps)
    q = rope(project(h, weights["attn_q"], n_heads), positions, base)
    k = list(rope(project(h, weights["attn_k"], n_kv_heads), positions, base))
    v = list(project(h, weights["attn_v"], n_kv_heads))
    if cache is not None:
        k, v = list(cache[0]) + k, list(cache[1]) + v
    k, v = np.array(k), np.array(v)
    a = attention(q, k, v, causal_mask(len(x), len(k)))
    joined = [np.concatenate([a[t, h] for h in range(n_heads)]) for t in range(len(x))]
    middle = x + project(joined, weights["attn_output"], 1)[:, 0]
    h = rms_norm(middle, weights["ffn_norm"], eps)
    down = swiglu(h, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])
    return middle + down, (k, v)
