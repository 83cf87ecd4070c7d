"""Launches that are asked for: inputs, what is right, what known mistakes give, the least traffic.

Owns: one function for each task, ``(rng, *sizes) -> Case``. Must not know: points, tolerances,
students. What is right comes from minengine.oracle and minengine.formats. Read before:
autograder/kernels.py.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from autograder.kernels import Case
from minengine import oracle
from minengine.formats import FORMATS

FLOAT = 4  # bytes


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def ints(*numbers: int) -> tuple[np.int32, ...]:
    return tuple(np.int32(n) for n in numbers)


def empty(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def scale_add(rng: np.random.Generator, n: int) -> Case:
    x, y, a = normal(rng, n), normal(rng, n), np.float32(rng.uniform(2, 3))
    want = oracle.f64(a) * oracle.f64(x) + oracle.f64(y)
    near = {
        "scale-add-swapped": lambda: x + oracle.f64(a) * y,
        "scale-add-no-y": lambda: oracle.f64(a) * x,
    }
    return Case((n,), (x, y, empty(n), a, *ints(n)), 2, want, near, 3 * n * FLOAT)


def rms_norm(rng: np.random.Generator, T: int, D: int, eps: float = 0.0) -> Case:
    eps = np.float32(eps or rng.uniform(0.2, 0.5))
    x, w = normal(rng, T, D), rng.uniform(0.5, 1.5, D).astype(np.float32)
    square = np.mean(oracle.f64(x) ** 2, -1, keepdims=True)
    near = {
        "norm-eps-outside": lambda: x / (np.sqrt(square) + eps) * w,
        "norm-eps-missing": lambda: x / np.sqrt(square) * w,
        "norm-sum-for-mean": lambda: x / np.sqrt(square * D + eps) * w,
        "norm-weight-missing": lambda: x / np.sqrt(square + eps),
        "norm-root-missing": lambda: x / (square + eps) * w,
        "first-warp-alone": lambda: x / np.sqrt(first_warp(x * x) / D + eps) * w,
    }
    args = x, w, empty(T, D), *ints(T, D), eps
    least = (2 * T * D + D) * FLOAT
    return Case((T, D), args, 2, oracle.rms_norm(x, w, eps), near, least)


def first_warp(x: np.ndarray) -> np.ndarray:
    """The part of each row's sum that the first 32 of 128 threads saw."""
    seen = np.arange(x.shape[-1]) % 128 < 32
    return np.where(seen, oracle.f64(x), 0).sum(-1, keepdims=True)


def softmax(
    rng: np.random.Generator, T: int, S: int, *, low: float = 0.0, peak: float = 0.0
) -> Case:
    """``low`` is added to all: far below zero a maximum that starts at 0 stays there. ``peak`` is
    number t of row t, so that a maximum which misses a place is seen in that row.
    """
    x = (3 * normal(rng, T, S) + np.float32(low)).astype(np.float32)
    if S > 4:
        x[:, rng.integers(1, S)] = -np.inf
    if peak:
        x[np.arange(T), np.arange(T) % S] = peak
    e = np.exp(oracle.f64(x) - oracle.f64(x).max(-1, keepdims=True))
    near = {
        "softmax-max-from-zero": lambda: start_at(x, np.maximum(x.max(-1, keepdims=True), 0)),
        "softmax-no-max": lambda: start_at(x, 0),
        "softmax-max-of-part": lambda: start_at(x, x[:, :32].max(-1, keepdims=True)),
        "softmax-not-normalised": lambda: e,
        "half-warp": lambda: half_warp(x),
    }
    return Case(
        (T, S), (x, empty(T, S), *ints(T, S)), 1, oracle.softmax(x), near, 2 * T * S * FLOAT
    )


def start_at(x: np.ndarray, top: Any) -> np.ndarray:
    """Softmax in float32 of which ``top`` is subtracted."""
    with np.errstate(over="ignore", invalid="ignore"):
        e = np.exp(x - top, dtype=np.float32)
        return e / e.sum(-1, keepdims=True)


def half_warp(x: np.ndarray) -> np.ndarray:
    """What lane 0's half of a warp makes of a row: the other 16 lanes' numbers are not summed."""
    lane = np.arange(x.shape[-1]) % 32
    out = np.zeros(x.shape)
    for half in (lane < 16, lane >= 16):
        part = np.where(half, oracle.f64(x), -np.inf)
        out += np.where(half, oracle.softmax(part), 0)
    return out


def matmul(rng: np.random.Generator, T: int, K: int, N: int) -> Case:
    x, w = normal(rng, T, K), normal(rng, N, K)
    near = {
        "matmul-last-tile-missing": lambda: oracle.matmul(
            x[:, : K // 16 * 16], w[:, : K // 16 * 16]
        ),
        "matmul-not-transposed": lambda: untransposed(x, w),
    }
    args = x, w, empty(T, N), *ints(T, K, N)
    least = (2 * T * N * K // 16 + T * N) * FLOAT
    return Case((T, K, N), args, 2, oracle.matmul(x, w), near, least)


def untransposed(x: np.ndarray, w: np.ndarray) -> Any:
    """With w taken for a (K, N) array that lies there."""
    return oracle.f64(x) @ oracle.f64(w).reshape(x.shape[1], -1)


def blocks(rng: np.random.Generator, name: str, N: int, K: int) -> np.ndarray:
    """Rows of random blocks of a format: all codes, scales of both signs."""
    size = FORMATS[name].block_bytes
    raw = rng.integers(0, 256, (N, K // 32, size), dtype=np.uint8)
    scales = rng.uniform(0.5, 1.5, (N, K // 32)) * rng.choice([-1, 1], (N, K // 32))
    raw[:, :, :2] = scales.astype(np.float16)[..., None].view(np.uint8)
    return raw.reshape(N, -1)


def matvec(rng: np.random.Generator, name: str, N: int, K: int) -> Case:
    raw, x = blocks(rng, name, N, K), normal(rng, K)
    codes = raw.reshape(N, K // 32, -1)
    d = codes[:, :, :2].copy().view(np.float16).astype(np.float64)
    mistakes = Q8_0 if name == "Q8_0" else Q4_0
    near = {
        tag: partial(wrong_product, make, codes[:, :, 2:], d, x) for tag, make in mistakes.items()
    }
    want = oracle.matmul(x[None], FORMATS[name].dequantize(raw))[0]
    return Case((N, K), (raw, x, empty(N), *ints(N, K)), 2, want, near, raw.nbytes, ("w",))


def wrong_product(make: Any, codes: np.ndarray, d: np.ndarray, x: np.ndarray) -> np.ndarray:
    return (make(codes, d) * x.reshape(-1, 32)).sum((1, 2))


def nibbles(codes: np.ndarray, *, first: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The low halves and the high halves of the bytes; ``first`` 1 swaps them."""
    halves = (codes & 15).astype(np.float64), (codes >> 4).astype(np.float64)
    return halves[first], halves[1 - first]


# (codes (N, blocks, bytes), d (N, blocks, 1)) -> the weights a mistake would multiply with
Q8_0 = {
    "q8-unsigned": lambda codes, d: d * codes,
    "q8-scale-of-row": lambda codes, d: d[:, :1] * codes.view(np.int8),
    "q8-scale-missing": lambda codes, d: 1.0 * codes.view(np.int8),
    "q8-first-block": lambda codes, d: d
    * codes.view(np.int8)
    * (np.arange(d.shape[1])[:, None] == 0),
}
Q4_0 = {
    "q4-no-offset": lambda codes, d: d * np.concatenate(nibbles(codes), -1),
    "q4-nibbles-swapped": lambda codes, d: d * (np.concatenate(nibbles(codes, first=1), -1) - 8),
    "q4-interleaved": lambda codes, d: d
    * (np.stack(nibbles(codes), -1).reshape(*codes.shape[:2], 32) - 8),
    "q4-low-alone": lambda codes, d: d * (np.concatenate([nibbles(codes)[0]] * 2, -1) - 8),
    "q4-signed": lambda codes, d: d * ((np.concatenate(nibbles(codes), -1) + 8) % 16 - 8),
    "q4-scale-of-row": lambda codes, d: d[:, :1] * (np.concatenate(nibbles(codes), -1) - 8),
}


def attention(
    rng: np.random.Generator, L: int, H: int, G: int, E: int, B: int, *, low: float = 0.0
) -> Case:
    """``low`` is added to every score, in effect: far below zero a maximum from 0 stays there."""
    n = -(-L // B)
    table = rng.permutation(n + 2)[:n].astype(np.int32)
    if n > 1 and (table == np.arange(n)).all():
        table = np.roll(table, 1)
    # what was not written by this text is another's: plausible keys, values that would show
    k, v = 1.5 * normal(rng, n + 2, B, G, E), 50 * normal(rng, n + 2, B, G, E)
    q = normal(rng, H, E)
    keys, values = 1.5 * normal(rng, L, G, E), normal(rng, L, G, E)
    if low:  # one dimension that all queries and keys share
        q[:, 0], keys[:, :, 0] = 8, low / 8 * np.sqrt(E)
    s = np.arange(L)
    k[table[s // B], s % B], v[table[s // B], s % B] = keys, values
    want = oracle.attention(q[None], keys, values)[0]
    padded = [a[table].reshape(-1, G, E) for a in (k, v)]
    outer = [a.reshape(-1, G, B, E)[table].swapaxes(1, 2).reshape(-1, G, E)[:L] for a in (k, v)]
    in_order = [a.reshape(-1, G, E)[:L] for a in (k, v)]
    near = {
        "attention-padding-read": lambda: oracle.attention(q[None], *padded)[0],
        "attention-table-ignored": lambda: oracle.attention(q[None], *in_order)[0],
        "attention-layout": lambda: oracle.attention(q[None], *outer)[0],
        "attention-heads-modulo": lambda: oracle.attention(
            q[None], *(a[:, np.arange(H) % G] for a in (keys, values)))[0],
        "attention-unscaled": lambda: oracle.attention(q[None], keys, values, scale=1.0)[0],
        "attention-not-rescaled": lambda: not_rescaled(q, keys, values),
        "attention-not-normalised": lambda: weighted_sum(q, keys, values),
        "attention-last-missing": lambda: oracle.attention(q[None], keys[:-1], values[:-1])[0],
        "attention-first-block": lambda: oracle.attention(q[None], keys[:B], values[:B])[0],
    }  # fmt: skip
    args = q, k, v, table, empty(H, E), *ints(L, H, G, E, B)
    least, read = 2 * L * H * E * FLOAT, 2 * L * G * E * FLOAT
    return Case((L, H, G, E, B), args, 4, want, near, least, ("k", "v"), read)


def scores(q: np.ndarray, keys: np.ndarray) -> np.ndarray:
    group = len(q) // keys.shape[1]
    return np.einsum("he,she->hs", oracle.f64(q), oracle.f64(keys).repeat(group, 1)) / np.sqrt(
        q.shape[1]
    )


def not_rescaled(q: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The online softmax whose old sums keep the weights of an older maximum."""
    s = scores(q, keys)
    p = np.exp(s - np.maximum.accumulate(s, 1))
    v = oracle.f64(values).repeat(len(q) // keys.shape[1], 1)
    return np.einsum("hs,she->he", p, v) / p.sum(1)[:, None]


def weighted_sum(q: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    s = scores(q, keys)
    v = oracle.f64(values).repeat(len(q) // keys.shape[1], 1)
    return np.einsum("hs,she->he", np.exp(s - s.max(1, keepdims=True)), v)
