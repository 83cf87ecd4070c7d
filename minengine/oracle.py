"""Every operation of the engine in plain NumPy float64: what kernels and checks are held against.

Owns: the definition of each operation. Must not know: files, formats' kernels, caches, threads; it
imports NumPy alone. Nothing here is fast, and nothing but ``rounded`` rounds: inputs of any float
type are raised to float64 first. Read after: `oracle_models.py` (the whole network, of every
architecture), `oracle_formats.py` (the weight formats).

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


def matmul(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """``y[t, o] = sum_i weight[o, i] x[t, i] + bias[o]``: x (T, in), weight (out, in), bias (out,)
    -> (T, out).
    """
    y = f64(x) @ f64(weight).T
    return y if bias is None else y + f64(bias)


def rounded(x: Array, group: int = 16) -> Array:
    """Activations as fast mode multiplies them: ``round(x / d) d``, ``d = max |x| / 127``, for each
    16 in a row.

    x (..., n), n a multiple of the group -> float64 (..., n). This one is about rounding, so it is
    told to the bit: x is float32, so are d and the factor 127 / max |x| that stands for 1 / d, ties
    go to the even code, and a group of zeros stays zeros.
    """
    groups = np.asarray(x, np.float32).reshape(*np.shape(x)[:-1], -1, group)
    largest, full = np.abs(groups).max(axis=-1, keepdims=True), np.float32(127)
    factor = np.divide(full, largest, out=np.zeros_like(largest), where=largest > 0)
    return (np.rint(groups * factor) * f64(largest / full)).reshape(np.shape(x))


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


def gelu(x: Array) -> Array:
    """``x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))``: the form that models are trained with.

    Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", section 2.
    """
    x = f64(x)
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def softcap(x: Array, cap: float) -> Array:
    """``cap tanh(x / cap)``: near x for small x, never beyond the cap; a cap of 0 is none.

    Gemma Team 2024, "Gemma 2", section 2.
    """
    return cap * np.tanh(f64(x) / cap) if cap else f64(x)


# Positions ----------------------------------------------------------------------------------------


def rope_angles(positions: Array, n_rot: int, base: float = 10000.0) -> Array:
    """``angle[t, i] = positions[t] * base^(-2 i / n_rot)``: (T,) -> (T, n_rot / 2), radians."""
    return f64(positions)[:, None] * rope_frequencies(n_rot, base)


def rope_frequencies(
    n_rot: int, base: float = 10000.0, *, factors: Array | None = None, scale: float = 1.0
) -> Array:
    """Radians a position by which each pair turns: ``base^(-2 i / n_rot) / factor_i / scale``.

    -> (n_rot / 2,). ``scale`` s makes s positions turn as far as one did: a context s times as long
    (Chen et al. 2023, "Position Interpolation", equation 4). ``factors`` (n_rot / 2,) do so for
    each pair alone (Llama 3, and LongRoPE, Ding et al. 2024).
    """
    pairs = np.arange(n_rot // 2)
    plain = float(base) ** (-2.0 * pairs / n_rot)
    return plain / (1.0 if factors is None else f64(factors)) / scale


def yarn_frequencies(
    n_rot: int,
    base: float,
    scale: float,
    n_original: int,
    *,
    factors: Array | None = None,
    fast: float = 32.0,
    slow: float = 1.0,
) -> Array:
    """Frequencies by YaRN: pairs that turn often stay, those that turn little are interpolated.

    ``(1 - keep_i) frequency_i / scale + keep_i frequency_i`` -> (n_rot / 2,). Pair i turns
    ``n_original base^(-2 i / n_rot) / (2 pi)`` times in the original context. ``keep`` is 1 up to
    the pair that turns ``fast`` times, 0 from the one that turns ``slow`` times, and falls evenly
    between, these two rounded outwards to whole pairs. Peng et al. 2023, "YaRN", section 3.2.
    """
    plain, keep = rope_frequencies(n_rot, base, factors=factors), np.empty(n_rot // 2)
    first, last = (
        n_rot / 2 * np.log(n_original / (2 * np.pi * turns)) / np.log(base)
        for turns in (fast, slow)
    )
    first, last = max(np.floor(first), 0), min(np.ceil(last), n_rot - 1)
    for i in range(n_rot // 2):
        keep[i] = 1 - min(max((i - first) / max(last - first, 0.001), 0), 1)
    return (1 - keep) * plain / scale + keep * plain


def yarn_magnitude(scale: float) -> float:
    """``1 + 0.1 ln scale``, by which YaRN lengthens queries and keys: equation 22, for each."""
    return 1 + 0.1 * float(np.log(max(scale, 1.0)))


def rope(
    x: Array,
    positions: Array,
    base: float = 10000.0,
    *,
    n_rot: int | None = None,
    pairing: str = "norm",
    frequencies: Array | None = None,
    magnitude: float = 1.0,
) -> Array:
    """Rotary position embedding: each pair of coordinates (a, b) of a head turns by its angle.

    ``a' = a cos - b sin``, ``b' = a sin + b cos``. Pairs are (2i, 2i + 1) for ``pairing="norm"``
    (the llama architecture in GGUF files) and (i, i + n_rot / 2) for ``"neox"``. Coordinates from
    n_rot on pass through. x (T, n_heads, E), positions (T,) -> (T, n_heads, E). ``frequencies``
    (n_rot / 2,) take the place of those of the base; ``magnitude`` multiplies what was turned. Su
    et al. 2021, "RoFormer", equation 34.
    """
    x = f64(x).copy()
    n_rot = x.shape[-1] if n_rot is None else n_rot
    frequencies = rope_frequencies(n_rot, base) if frequencies is None else f64(frequencies)
    angles = (f64(positions)[:, None] * frequencies)[:, None, :]
    first, second = {
        "norm": (slice(0, n_rot, 2), slice(1, n_rot, 2)),
        "neox": (slice(0, n_rot // 2), slice(n_rot // 2, n_rot)),
    }[pairing]
    a, b = x[..., first].copy(), x[..., second].copy()
    x[..., first] = magnitude * (a * np.cos(angles) - b * np.sin(angles))
    x[..., second] = magnitude * (a * np.sin(angles) + b * np.cos(angles))
    return x


# Attention ----------------------------------------------------------------------------------------


def causal_mask(n_queries: int, n_keys: int, *, window: int = 0) -> Array:
    """True where query t may look at key s: ``s <= t + n_keys - n_queries``.

    -> bool (T, S). The queries are the last T of the S positions, so the triangle is aligned
    bottom-right. A ``window`` W lets a query see the last W of those keys alone, its own included;
    0 is none (Beltagy et al. 2020, "Longformer", section 3.1).
    """
    t, s = np.arange(n_queries)[:, None], np.arange(n_keys)[None, :]
    back = t + n_keys - n_queries - s
    return (back >= 0) & (back < (window or n_keys))


def attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    *,
    scale: float | None = None,
    cap: float = 0.0,
) -> Array:
    """Grouped attention, for each head ``softmax(q k^T * scale + (mask ? 0 : -inf)) v``.

    q (T, H, E), k and v (S, G, E), mask bool (T, S) -> (T, H, E). Query head h reads key/value head
    h // (H / G); scale is 1 / sqrt(E) unless given. A ``cap`` caps the scores before the mask. A
    masked value never reaches the output, NaN and infinity included; a query that sees no key gives
    zeros. Vaswani et al. 2017, equation 1; Ainslie et al. 2023 (GQA), section 2.2.
    """
    q, k, v = f64(q), f64(k), f64(v)
    (n_queries, n_heads, width), n_keys, n_groups = q.shape, k.shape[0], k.shape[1]
    mask = np.ones((n_queries, n_keys), bool) if mask is None else np.asarray(mask, bool)
    scale = 1.0 / np.sqrt(width) if scale is None else scale
    group = np.arange(n_heads) // (n_heads // n_groups)  # that each head reads
    out = np.zeros((n_queries, n_heads, v.shape[-1]))
    with np.errstate(invalid="ignore", over="ignore"):  # what is masked may be NaN or infinite
        scores = q.transpose(1, 0, 2) @ k[:, group].transpose(1, 2, 0) * scale  # (H, T, S)
        p = softmax(np.where(mask, softcap(scores, cap), -np.inf))
        for h, g in enumerate(group):  # one by one, for memory's sake
            weighed = p[h][:, :, None] * v[:, g]
            out[:, h] = np.sum(np.where(mask[:, :, None], weighed, 0.0), axis=1)
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
