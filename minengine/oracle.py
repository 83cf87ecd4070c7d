"""Every operation of the engine in plain NumPy float64: what kernels and checks are held against.

Owns: the definition of each operation. Must not know: files, formats' kernels, caches, threads; it
imports NumPy alone. Nothing here is fast, and nothing here rounds: inputs of any float type are
raised to float64 first.

Shape letters (see ``minengine/__init__.py``): T queries, S keys, D model width, H query heads, G
key/value heads, E head width, F feed-forward width, V vocabulary, L layers. Weights stand as in the
file: (out, in), rows contiguous.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np

Array = np.ndarray


def f64(x: Array) -> Array:
    """A float64 copy-if-needed of ``x``."""
    return np.asarray(x, dtype=np.float64)


# Rows of a matrix ---------------------------------------------------------------------------------


def embed(table: Array, ids: Array) -> Array:
    """Rows of the embedding table: (V, D), (T,) -> (T, D)."""
    return f64(table)[np.asarray(ids)]


def matmul(x: Array, weight: Array) -> Array:
    """``y[t, o] = sum_i weight[o, i] x[t, i]``: (T, in), (out, in) -> (T, out)."""
    return f64(x) @ f64(weight).T


def rms_norm(x: Array, weight: Array, eps: float = 1e-5) -> Array:
    """Root-mean-square norm: ``x / sqrt(mean(x^2) + eps) * weight`` over the last axis.

    x (..., D), weight (D,) -> (..., D). The mean is over D, eps stands inside the root, no mean is
    subtracted. Zhang and Sennrich 2019, "Root Mean Square Layer Normalization", equation 4.
    """
    x = f64(x)
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * f64(weight)


def softmax(x: Array, axis: int = -1) -> Array:
    """``exp(x_i - max x) / sum_j exp(x_j - max x)``; a slice of -inf everywhere gives zeros."""
    x = f64(x)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)  # an empty slice has no maximum
    e = np.exp(x - np.where(np.isfinite(top), top, 0.0))
    total = np.sum(e, axis=axis, keepdims=True)
    return e / np.where(total == 0.0, 1.0, total)


def silu(x: Array) -> Array:
    """``x * sigmoid(x) = x / (1 + exp(-x))``, without overflow for large negative x."""
    x = f64(x)
    e = np.exp(-np.abs(x))
    return x * np.where(x >= 0, 1.0, e) / (1.0 + e)


# Positions ----------------------------------------------------------------------------------------


def rope_angles(positions: Array, n_rot: int, base: float = 10000.0) -> Array:
    """``angle[t, i] = positions[t] * base^(-2 i / n_rot)``: (T,) -> (T, n_rot / 2), radians."""
    frequencies = float(base) ** (-2.0 * np.arange(n_rot // 2) / n_rot)
    return f64(positions)[:, None] * frequencies


def rope(
    x: Array,
    positions: Array,
    base: float = 10000.0,
    *,
    n_rot: int | None = None,
    pairing: str = "norm",
) -> Array:
    """Rotary position embedding: each pair of coordinates (a, b) of a head turns by its angle.

    ``a' = a cos - b sin``, ``b' = a sin + b cos``. Pairs are (2i, 2i + 1) for ``pairing="norm"``
    (the llama architecture in GGUF files) and (i, i + n_rot / 2) for ``"neox"``. Coordinates from
    n_rot on pass through. x (T, n_heads, E), positions (T,) -> (T, n_heads, E). Su et al. 2021,
    "RoFormer", equation 34.
    """
    x = f64(x).copy()
    n_rot = x.shape[-1] if n_rot is None else n_rot
    angles = rope_angles(positions, n_rot, base)[:, None, :]
    first, second = {
        "norm": (slice(0, n_rot, 2), slice(1, n_rot, 2)),
        "neox": (slice(0, n_rot // 2), slice(n_rot // 2, n_rot)),
    }[pairing]
    a, b = x[..., first].copy(), x[..., second].copy()
    x[..., first] = a * np.cos(angles) - b * np.sin(angles)
    x[..., second] = a * np.sin(angles) + b * np.cos(angles)
    return x


# Attention ----------------------------------------------------------------------------------------


def causal_mask(n_queries: int, n_keys: int) -> Array:
    """True where query t may look at key s: ``s <= t + n_keys - n_queries``.

    -> bool (T, S). The queries are the last T of the S positions, so the triangle is aligned
    bottom-right.
    """
    t, s = np.arange(n_queries)[:, None], np.arange(n_keys)[None, :]
    return s <= t + n_keys - n_queries


def attention(
    q: Array, k: Array, v: Array, mask: Array | None = None, *, scale: float | None = None
) -> Array:
    """Grouped attention, for each head ``softmax(q k^T * scale + (mask ? 0 : -inf)) v``.

    q (T, H, E), k and v (S, G, E), mask bool (T, S) -> (T, H, E). Query head h reads key/value head
    h // (H / G); scale is 1 / sqrt(E) unless given. A masked value never reaches the output, NaN
    and infinity included; a query that sees no key gives zeros. Vaswani et al. 2017, equation 1;
    Ainslie et al. 2023 (GQA), section 2.2.
    """
    q, k, v = f64(q), f64(k), f64(v)
    (n_queries, n_heads, width), n_keys, n_groups = q.shape, k.shape[0], k.shape[1]
    mask = np.ones((n_queries, n_keys), bool) if mask is None else np.asarray(mask, bool)
    scale = 1.0 / np.sqrt(width) if scale is None else scale
    out = np.zeros((n_queries, n_heads, v.shape[-1]))
    for h in range(n_heads):
        g = h // (n_heads // n_groups)
        for t in range(n_queries):
            seen = mask[t]
            out[t, h] = softmax(k[seen, g] @ q[t, h] * scale) @ v[seen, g]
    return out


# The feed-forward part and the layer --------------------------------------------------------------


def swiglu(x: Array, w_gate: Array, w_up: Array, w_down: Array) -> Array:
    """Gated feed-forward: ``(silu(x Wg^T) * (x Wu^T)) Wd^T``.

    x (T, D), w_gate and w_up (F, D), w_down (D, F) -> (T, D). Shazeer 2020, "GLU Variants",
    equation 6.
    """
    return matmul(silu(matmul(x, w_gate)) * matmul(x, w_up), w_down)


PARTS = SimpleNamespace(
    rms_norm=rms_norm, rope=rope, causal_mask=causal_mask, attention=attention, swiglu=swiglu
)


def layer(
    x: Array,
    weights: Mapping[str, Array],
    positions: Array,
    *,
    n_heads: int,
    n_kv_heads: int,
    eps: float = 1e-5,
    base: float = 10000.0,
    past: tuple[Array, Array] | None = None,
    parts: SimpleNamespace = PARTS,
) -> tuple[Array, tuple[Array, Array]]:
    """One pre-norm layer of the llama architecture, optionally after ``past`` keys and values.

        h = rms_norm(x, attn_norm);  q, k, v = h Wq^T, h Wk^T, h Wv^T;  q, k = rope(q), rope(k)
        x = x + attention(q, past_k + k, past_v + v) Wo^T
        x = x + swiglu(rms_norm(x, ffn_norm))

    x (T, D), positions (T,), past two of (P, G, E) -> (T, D) and the keys and values so far, two of
    (P + T, G, E). Keys are kept after rotation. ``weights`` has attn_norm, attn_q, attn_k, attn_v,
    attn_output, ffn_norm, ffn_gate, ffn_up, ffn_down. ``parts`` lets a grader put other
    implementations of the parts in the same composition.
    """
    x, w, n = f64(x), weights, np.shape(x)[0]
    h = parts.rms_norm(x, w["attn_norm"], eps)
    q = matmul(h, w["attn_q"]).reshape(n, n_heads, -1)
    k = matmul(h, w["attn_k"]).reshape(n, n_kv_heads, -1)
    v = matmul(h, w["attn_v"]).reshape(n, n_kv_heads, -1)
    q, k = f64(parts.rope(q, positions, base)), f64(parts.rope(k, positions, base))
    if past is not None:
        k, v = np.concatenate((f64(past[0]), k)), np.concatenate((f64(past[1]), v))
    a = f64(parts.attention(q, k, v, parts.causal_mask(n, k.shape[0])))
    x = x + matmul(a.reshape(n, -1), w["attn_output"])
    h = parts.rms_norm(x, w["ffn_norm"], eps)
    return x + f64(parts.swiglu(h, w["ffn_gate"], w["ffn_up"], w["ffn_down"])), (k, v)


LAYER_WEIGHTS = (
    *("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output"),
    *("ffn_norm", "ffn_gate", "ffn_up", "ffn_down"),
)


def forward(
    tensors: Mapping[str, Array],
    ids: Array,
    *,
    n_layers: int,
    eps: float,
    base: float,
    n_heads: int,
    n_kv_heads: int,
) -> Array:
    """Logits of a llama model: embed, L layers, norm, head. ids (T,) -> (T, V).

    ``tensors`` are named as in the file; the head is ``output.weight``, or ``token_embd.weight``
    where the file has none (tied).
    """
    x = embed(tensors["token_embd.weight"], ids)
    positions = np.arange(len(ids))
    for i in range(n_layers):
        weights = {name: tensors[f"blk.{i}.{name}.weight"] for name in LAYER_WEIGHTS}
        x, _ = layer(
            x, weights, positions, n_heads=n_heads, n_kv_heads=n_kv_heads, eps=eps, base=base
        )
    head = tensors.get("output.weight", tensors["token_embd.weight"])
    return matmul(rms_norm(x, tensors["output_norm.weight"], eps), head)


# Sampling: a distribution in, a distribution out --------------------------------------------------


def temperature(logits: Array, t: float) -> Array:
    """``logits / t``; t <= 0 keeps the first largest logit and sets the others to -inf."""
    logits = f64(logits)
    if t > 0:
        return logits / t
    return np.where(np.arange(logits.size) == int(np.argmax(logits)), logits, -np.inf)


def top_k(logits: Array, k: int) -> Array:
    """Keep the k largest logits (on ties the lower id), -inf elsewhere; k <= 0 is off."""
    logits = f64(logits)
    if k <= 0 or k >= logits.size:
        return logits
    keep = np.argsort(-logits, kind="stable")[:k]
    out = np.full_like(logits, -np.inf)
    out[keep] = logits[keep]
    return out


def top_p(logits: Array, p: float, min_keep: int = 1) -> Array:
    """Keep the shortest prefix of the descending probabilities whose sum reaches p.

    The crossing token is kept, -inf elsewhere; p >= 1 is off; at least ``min_keep`` stay. Holtzman
    et al. 2020, "nucleus sampling", section 3.1.
    """
    logits = f64(logits)
    if p >= 1.0:
        return logits
    order = np.argsort(-logits, kind="stable")
    reached = np.cumsum(softmax(logits)[order])
    n = max(int(np.searchsorted(reached, p, side="left")) + 1, min_keep, 1)
    out = np.full_like(logits, -np.inf)
    out[order[:n]] = logits[order[:n]]
    return out


def draw(logits: Array, u: float) -> int:
    """The first id where the running sum of softmax exceeds u, u in [0, 1): inverse sampling."""
    running = np.cumsum(softmax(logits))
    at = int(np.searchsorted(running, u * running[-1], side="right"))
    alive = np.flatnonzero(np.isfinite(f64(logits)))
    return int(alive[min(np.searchsorted(alive, at), alive.size - 1)])
