"""How public kernels are launched, and what NumPy says they must give.

One row a kernel: its file's name, the kernel, and a function that makes a Launch. The sources are
not ours and not here: cudasim_public.py reads them from checkouts of karpathy/llm.c and
NVIDIA/cuda-samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

B, T, C, NH = 2, 32, 128, 4  # batch, tokens, channels, heads
RNG = np.random.default_rng(11)


@dataclass
class Launch:
    """``want``: per number of an argument, the array it must hold and the relative tolerance."""

    grid: object
    block: object
    args: list
    want: dict[int, tuple[np.ndarray, float]] = field(default_factory=dict)
    shared: int = 0


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def fresh(*shape: int, dtype: object = np.float32) -> np.ndarray:
    """Memory that the launch must fill: as the simulator's ``empty``."""
    return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 0, dtype)


def bfloat(x: np.ndarray) -> np.ndarray:
    """bfloat16 as bits, rounded to nearest even."""
    u = x.astype(np.float32).view(np.uint32)
    return ((u + 0x7FFF + (u >> 16 & 1)) >> 16).astype(np.uint16)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x.astype(np.float64) - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_row(grid: Callable, block: int, shared: int = 0) -> Callable[[], Launch]:
    def make() -> Launch:
        n, c = 24, 1000
        x = floats(n, c)
        args = [fresh(n, c), x, np.int32(n), np.int32(c)]
        return Launch(grid(n), block, args, {0: (softmax(x), 2e-5)}, shared)

    return make


def layernorm_row(grid: Callable, block: object, shared: int = 0) -> Callable[[], Launch]:
    def make() -> Launch:
        n = B * T
        x, w, b = floats(n, C), floats(C), floats(C)
        mean, var = x.mean(1, dtype=np.float64), x.var(1, dtype=np.float64)
        rstd = 1 / np.sqrt(var + 1e-5)
        out = (x - mean[:, None]) * rstd[:, None] * w + b
        args = [fresh(n, C), fresh(n), fresh(n), x, w, b, np.int32(n), np.int32(C)]
        return Launch(grid(n), block, args, {0: (out, 1e-4), 2: (rstd, 1e-4)}, shared)

    return make


def scores() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Packed q, k, v; causal scores with -inf; attention weights; the output."""
    x = floats(B, T, 3 * C)
    q, k, v = (part.reshape(B, T, NH, C // NH).transpose(0, 2, 1, 3) for part in np.split(x, 3, -1))
    s = np.where(np.tril(np.ones((T, T), bool)), q @ k.swapaxes(2, 3) / np.sqrt(C // NH), -np.inf)
    a = softmax(s)
    return x, s, a, (a @ v).transpose(0, 2, 1, 3).reshape(B, T, C)


def query_key() -> Launch:
    x, s, _, _ = scores()
    sizes = [np.int32(v) for v in (B, T, C, NH)]
    args = [fresh(B, NH, T, T), x, *sizes]
    return Launch(B * NH * T * T // 256, 256, args, {0: (s, 1e-4)})


def attention_softmax() -> Launch:
    _, s, a, _ = scores()
    args = [fresh(B, NH, T, T), s.astype(np.float32), np.int32(B), np.int32(T), np.int32(NH)]
    return Launch(B * NH * T // 64, 64, args, {0: (a, 1e-4)})


def attention_value() -> Launch:
    x, _, a, out = scores()
    sizes = [np.int32(v) for v in (B, T, C, NH)]
    return Launch(B * NH * T // 64, 64, [fresh(B, T, C), a.astype(np.float32), x, *sizes],
                  {0: (out, 1e-4)})  # fmt: skip


def attention_fused() -> Launch:
    x, _, _, out = scores()
    sizes = [np.int32(v) for v in (B, T, C, NH)]
    args = [fresh(B, T, C), fresh(B, NH, T, T), fresh(B, NH, T, T), x, *sizes]
    return Launch((T // 4, NH, B), 128, args, {0: (out, 1e-4)})


def causal_softmax5() -> Launch:
    s, n = floats(B * NH, T, T), B * NH
    a = softmax(np.where(np.tril(np.ones((T, T), bool)), s * 0.125, -np.inf))
    args = [np.zeros((n, T, T), np.float32), np.float32(0.125), s, np.int32(n), np.int32(T)]
    return Launch(n * T * 32 // 256, 256, args, {0: (a, 1e-4)})


def flash() -> Launch:
    x, _, _, out = scores()
    q, k, v = (
        np.ascontiguousarray(p.reshape(B, T, NH, C // NH).transpose(0, 2, 1, 3))
        for p in np.split(x, 3, -1)
    )
    hs, n = C // NH, 32  # tiles of 32 rows and columns
    sizes = [np.int32(s) for s in (T, hs, T // n, T // n, n, n)]
    o = np.zeros((B, NH, T, hs), np.float32)
    state = [np.zeros((B, NH, T), np.float32), np.full((B, NH, T), -10000, np.float32)]
    want = out.reshape(B, T, NH, hs).transpose(0, 2, 1, 3)
    shared = 4 * (3 * n * hs + n * n)
    return Launch((B, NH), n, [q, k, v, *sizes, np.float32(hs**-0.5), *state, o],
                  {12: (want, 1e-4)}, shared)  # fmt: skip


def permute() -> Launch:
    x = floats(B, T, 3 * C)
    parts = [p.reshape(B, T, NH, C // NH).transpose(0, 2, 1, 3) for p in np.split(x, 3, -1)]
    args = [*(fresh(B, NH, T, C // NH) for _ in range(3)), x,
            *(np.int32(v) for v in (B, T, NH, C // NH))]  # fmt: skip
    return Launch(B * T * C // 256, 256, args, {i: (p, 0.0) for i, p in enumerate(parts)})


def elementwise(function: Callable, n_inputs: int, per_thread: int) -> Callable[[], Launch]:
    def make() -> Launch:
        n = 4096
        inputs = [bfloat(floats(n)) for _ in range(n_inputs)]
        values = [(u.astype(np.uint32) << 16).view(np.float32) for u in inputs]
        args = [fresh(n, dtype=np.uint16), *inputs, np.int32(n)]
        return Launch(n // 256 // per_thread, 256, args, {0: (function(*values), 2.0**-7)})

    return make


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def crossentropy() -> Launch:
    p, v = softmax(floats(B, T, 100)).astype(np.float32), 100
    ids = RNG.integers(0, v, (B, T)).astype(np.int32)
    loss = -np.log(np.take_along_axis(p, ids[..., None], -1)[..., 0])
    return Launch(1, B * T, [fresh(B, T), p, ids, *(np.int32(s) for s in (B, T, v))],
                  {0: (loss, 1e-5)})  # fmt: skip


def matmul(kernel: int) -> Callable[[], Launch]:
    def make() -> Launch:
        n, c, oc = 128, 64, 256
        x, w, bias = floats(n, c), floats(oc, c), floats(oc)
        args = [fresh(n, oc), x, w, bias]
        want = {0: (x @ w.T + bias, 2e-4)}
        if kernel == 1:
            return Launch((n // 16, oc // 16), (16, 16),
                          [*args, np.int32(n), np.int32(c), np.int32(oc)], want)  # fmt: skip
        return Launch((n // 128, oc // 128), (16, 16), [*args, np.int32(c), np.int32(oc)], want)

    return make


def vector_add() -> Launch:
    a, b = floats(5000), floats(5000)
    return Launch(20, 256, [a, b, fresh(5000), np.int32(5000)], {2: (a + b, 0.0)})


def matrix_mul(size: int) -> Callable[[], Launch]:
    def make() -> Launch:
        a, b = floats(64, 96), floats(96, 128)
        args = [fresh(64, 128), a, b, np.int32(96), np.int32(128)]
        return Launch((128 // size, 64 // size), (size, size), args, {0: (a @ b, 2e-4)})

    return make


def transpose(turns: bool) -> Callable[[], Launch]:
    def make() -> Launch:
        x = floats(64, 64)
        args = [fresh(64, 64), x, np.int32(64), np.int32(64)]
        return Launch((2, 2), (32, 16), args, {0: (x.T if turns else x, 0.0)})

    return make


def reduction(block: int, per_block: int, shared: int) -> Callable[[], Launch]:
    def make() -> Launch:
        x = floats(2048)
        n = 2048 // per_block
        sums = x.reshape(n, per_block).sum(1, dtype=np.float64)
        return Launch(n, block, [x, fresh(n), np.uint32(2048)], {1: (sums, 1e-3)}, shared)

    return make


def single_pass() -> Launch:
    x = floats(2048)
    want = np.array([x.sum(dtype=np.float64)])
    return Launch(8, 128, [x, fresh(8), np.uint32(2048)], {1: (want, 1e-3)}, 512)


def histogram() -> Launch:
    data = RNG.integers(0, 2**32, 3000, dtype=np.uint32)
    rows = [data[i * 192 : (i + 1) * 192] for i in range(16)]
    want = np.stack([np.bincount(r.view(np.uint8), minlength=256) for r in rows])
    return Launch(16, 192, [fresh(16, 256, dtype=np.uint32), data, np.uint32(3000)],
                  {0: (want, 0.0)})  # fmt: skip


def histogram64() -> Launch:
    data = RNG.integers(0, 2**32, (128, 4), dtype=np.uint32)
    want = np.stack([
        np.bincount(data[i * 64 : (i + 1) * 64].ravel().view(np.uint8) >> 2, minlength=64)
        for i in range(2)
    ])  # fmt: skip
    return Launch(2, 64, [fresh(2, 64, dtype=np.uint32), data, np.uint32(128)], {0: (want, 0.0)})


def scalar_products() -> Launch:
    a, b = floats(6, 2048), floats(6, 2048)
    want = (a.astype(np.float64) * b).sum(1)
    return Launch(4, 256, [fresh(6), a, b, np.int32(6), np.int32(2048)], {0: (want, 1e-3)})


def half_products() -> Launch:
    a, b = (RNG.integers(0, 4, 2 * 2048).astype(np.float16) for _ in range(2))
    want, stride = [], 2 * 128
    for block in range(2):
        at = (np.arange(128) + 128 + block)[:, None] + stride * np.arange(8)
        at = at[at < 2048]
        want.append((a.reshape(-1, 2)[at].astype(float) * b.reshape(-1, 2)[at]).sum())
    return Launch(2, 128, [a, b, fresh(2), np.uint64(2048)], {2: (np.array(want), 1e-3)})


def scan(size: int) -> Callable[[], Launch]:
    def make() -> Launch:
        x = RNG.integers(0, 9, 2048, dtype=np.uint32)
        rows = x.reshape(-1, size)
        want = (np.cumsum(rows, 1) - rows).reshape(-1)
        return Launch(2, 256, [fresh(2048, dtype=np.uint32), x, np.uint32(size)],
                      {0: (want, 0.0)})  # fmt: skip

    return make


def shuffle_scan() -> Launch:
    x = RNG.integers(0, 9, 512).astype(np.int32)
    sums = np.cumsum(x.reshape(2, 256), 1)
    args = [x, np.int32(32), fresh(2, dtype=np.int32)]
    return Launch(2, 256, args, {0: (sums.ravel(), 0.0), 2: (sums[:, -1], 0.0)}, 32)


def walsh() -> Launch:
    n = 10
    x = floats(1 << n)
    h = np.array([[1.0]])
    for _ in range(n):
        h = np.block([[h, h], [h, -h]])
    return Launch(1, (1 << n) // 4, [fresh(1 << n), x, np.int32(n)], {0: (h @ x, 1e-3)}, 4 << n)


def black_scholes() -> Launch:
    from math import erf

    n, r, v = 512, 0.02, 0.3
    s, x, t = (RNG.uniform(a, b, n).astype(np.float32) for a, b in ((5, 30), (1, 100), (0.25, 10)))
    d1 = (np.log(s / x) + (r + v * v / 2) * t) / (v * np.sqrt(t))
    d2 = d1 - v * np.sqrt(t)
    cnd = np.vectorize(lambda d: 0.5 * (1 + erf(d / 2**0.5)))
    call = s * cnd(d1) - x * np.exp(-r * t) * cnd(d2)
    args = [fresh(n), fresh(n), s, x, t, np.float32(r), np.float32(v), np.int32(n)]
    return Launch(2, 128, args, {0: (call, 5e-3)})


def sort(extra: tuple) -> Callable[[], Launch]:
    def make() -> Launch:
        keys = RNG.permutation(2048).astype(np.uint32)
        want = np.sort(keys.reshape(2, 1024), 1).ravel()
        out = [fresh(2048, dtype=np.uint32) for _ in range(2)]
        return Launch(2, 512, [*out, keys, keys.copy(), *extra], {0: (want, 0.0), 1: (want, 0.0)})

    return make


def atomics() -> Launch:
    n = 64 * 256
    start = np.array([0, 0, 0, -1, n, 0, 0, 0, 255, 0, 255], np.int32)
    want = start.copy()
    want[[0, 1, 3, 4]] = (10 * n, -10 * n, n - 1, 0)
    lanes = np.arange(n, dtype=np.int64)
    want[8] = np.bitwise_and.reduce((2 * lanes + 7).astype(np.int32)) & 255
    want[10] = 255 ^ np.bitwise_xor.reduce(lanes)
    want[5] = n % 18
    return Launch(
        64, 256, [start], {0: (np.where([1, 1, 0, 1, 1, 1, 0, 0, 1, 0, 1], want, 0), 0.0)}
    )


def buckets_max() -> Launch:
    ids = RNG.integers(0, 5, 2048).astype(np.int32)
    values = RNG.integers(0, 10**6, 2048).astype(np.int32)
    want = np.array([values[ids == i].max() for i in range(5)])
    args = [ids, values, np.zeros(5, np.int32), np.int32(2048), np.int32(5)]
    return Launch(4, 512, args, {2: (want, 0.0)})
