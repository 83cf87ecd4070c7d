"""How fast is the simulator: three kernels, fast and checked, one and two threads of the system?

Tiled matrix product of 256 x 256, softmax of 512 rows of 1,000, attention of one query over a paged
cache of keys and values. Beside them Numba's CUDA simulator on its equivalents, where --numba names
an interpreter that has Numba; it is so slow that its sizes are smaller, and its times are
scaled up by the work, which each row says. Its times are of processors.

    python bench/cudasim_speed.py [--repeat 5] [--numba PYTHON] [--csv FILE]
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

import cudasim as cp
from cudasim.geometry import tupled

MATMUL = r"""
#define T 16
extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n) {
  __shared__ float as[T][T], bs[T][T];
  int row = blockIdx.y * T + threadIdx.y, col = blockIdx.x * T + threadIdx.x;
  float sum = 0.0f;
  for (int k = 0; k < n; k += T) {
    as[threadIdx.y][threadIdx.x] = a[row * n + k + threadIdx.x];
    bs[threadIdx.y][threadIdx.x] = b[(k + threadIdx.y) * n + col];
    __syncthreads();
    for (int j = 0; j < T; j++) sum += as[threadIdx.y][j] * bs[j][threadIdx.x];
    __syncthreads();
  }
  c[row * n + col] = sum;
}
"""
SOFTMAX = r"""
__device__ float joined(float v, bool is_max, float *part) {
  for (int d = 16; d; d /= 2) {
    float other = __shfl_xor_sync(0xffffffffu, v, d);
    v = is_max ? fmaxf(v, other) : v + other;
  }
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  v = part[threadIdx.x % (blockDim.x / 32)];
  for (int d = blockDim.x / 64; d; d /= 2) {
    float other = __shfl_xor_sync(0xffffffffu, v, d);
    v = is_max ? fmaxf(v, other) : v + other;
  }
  __syncthreads();
  return v;
}
extern "C" __global__ void softmax(const float *x, float *y, int n) {
  __shared__ float part[32];
  const float *row = x + blockIdx.x * n;
  float top = -3.4e38f, sum = 0.0f;
  for (int i = threadIdx.x; i < n; i += blockDim.x) top = fmaxf(top, row[i]);
  top = joined(top, true, part);
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += __expf(row[i] - top);
  sum = joined(sum, false, part);
  for (int i = threadIdx.x; i < n; i += blockDim.x)
    y[blockIdx.x * n + i] = __expf(row[i] - top) / sum;
}
"""
# One block a head of 64: each warp takes cells of the cache in turn, with an online softmax.
ATTENTION = r"""
#define E 64
#define B 16
#define WARPS 4
extern "C" __global__ void attention(const float *q, const float *k, const float *v,
                                     const int *table, float *out, int length) {
  __shared__ float tops[WARPS], sums[WARPS], parts[WARPS][E];
  int lane = threadIdx.x % 32, warp = threadIdx.x / 32, heads = gridDim.x, head = blockIdx.x;
  float2 mine = ((const float2 *)(q + head * E))[lane], acc = make_float2(0.0f, 0.0f);
  float top = -3.4e38f, sum = 0.0f;
  for (int t = warp; t < length; t += WARPS) {
    int cell = (table[t / B] * B + t % B) * heads + head;
    float2 key = ((const float2 *)(k + cell * E))[lane];
    float2 value = ((const float2 *)(v + cell * E))[lane];
    float s = mine.x * key.x + mine.y * key.y;
    for (int d = 16; d; d /= 2) s += __shfl_xor_sync(0xffffffffu, s, d);
    s *= 0.125f;
    float next = fmaxf(top, s), scale = __expf(top - next), p = __expf(s - next);
    sum = sum * scale + p;
    acc = make_float2(acc.x * scale + p * value.x, acc.y * scale + p * value.y);
    top = next;
  }
  if (lane == 0) {
    tops[warp] = top;
    sums[warp] = sum;
  }
  parts[warp][2 * lane] = acc.x;
  parts[warp][2 * lane + 1] = acc.y;
  __syncthreads();
  if (threadIdx.x < E) {
    float best = tops[0], total = 0.0f, o = 0.0f;
    for (int w = 1; w < WARPS; w++) best = fmaxf(best, tops[w]);
    for (int w = 0; w < WARPS; w++) {
      total += sums[w] * __expf(tops[w] - best);
      o += parts[w][threadIdx.x] * __expf(tops[w] - best);
    }
    out[head * E + threadIdx.x] = o / total;
  }
}
"""


def launches() -> dict[
    str, tuple[cp.RawKernel, object, object, list, Callable[[], np.ndarray], int]
]:
    """Per name: kernel, grid, block, arguments, the answer by NumPy, which argument holds it."""
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal((256, 256)).astype(np.float32) for _ in range(2))
    x = rng.standard_normal((512, 1000)).astype(np.float32)
    heads, length, blocks = 32, 512, 64
    q = rng.standard_normal((heads, 64)).astype(np.float32)
    k, v = (rng.standard_normal((blocks, 16, heads, 64)).astype(np.float32) for _ in range(2))
    table = rng.permutation(blocks)[: length // 16].astype(np.int32)

    def softmax() -> np.ndarray:
        e = np.exp(x - x.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def attention() -> np.ndarray:
        keys, values = (c[table].reshape(length, heads, 64) for c in (k, v))
        s = np.einsum("he,the->ht", q, keys) / 8
        p = np.exp(s - s.max(1, keepdims=True))
        return np.einsum("ht,the->he", p / p.sum(1, keepdims=True), values)

    return {
        "matmul 256^3, tiles of 16": (
            cp.RawKernel(MATMUL, "matmul"), (16, 16), (16, 16),
            [cp.asarray(a), cp.asarray(b), cp.empty((256, 256), np.float32), np.int32(256)],
            lambda: a @ b, 2,
        ),
        "softmax 512 x 1000": (
            cp.RawKernel(SOFTMAX, "softmax"), 512, 128,
            [cp.asarray(x), cp.empty(x.shape, np.float32), np.int32(1000)], softmax, 1,
        ),
        "paged attention, 32 heads of 64, 512 cells": (
            cp.RawKernel(ATTENTION, "attention"), heads, 128,
            [cp.asarray(q), cp.asarray(k), cp.asarray(v), cp.asarray(table),
             cp.empty(q.shape, np.float32), np.int32(length)],
            attention, 4,
        ),
    }  # fmt: skip


def best(call: Callable[[], object], repeat: int) -> tuple[float, float]:
    """Milliseconds of the fastest of some calls after one that compiles: by the clock, and of all
    processors together, which other programs of a busy machine do not stretch."""
    call()
    times = []
    for _ in range(repeat):
        began = time.perf_counter(), time.process_time()
        call()
        times.append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return 1e3 * min(t[0] for t in times), 1e3 * min(t[1] for t in times)


def fast(threads: int, kernel, grid, block, args) -> None:
    with cp.configured(threads=threads):
        kernel(tupled(grid), tupled(block), args)


def measure(repeat: int) -> list[list[str]]:
    rows = []
    for name, (kernel, grid, block, args, want, out) in launches().items():
        times = [best(partial(fast, n, kernel, grid, block, args), repeat) for n in (1, 2)]
        np.testing.assert_allclose(args[out].get(), want(), rtol=2e-3, atol=2e-4)
        for sanitize, profile in ((True, False), (False, True), (True, True)):
            watched = partial(
                cp.check, kernel, grid, block, args, sanitize=sanitize, profile=profile
            )
            times.append(best(watched, max(1, repeat // 3)))
        cells = [f"{wall:.0f} ({processor:.0f})" for wall, processor in times]
        rows.append([name, *cells, f"{times[2][1] / times[0][1]:.0f}"])
    return rows


NUMBA = r"""
import json, time, numpy as np
from numba import cuda, float32
T = 16
@cuda.jit
def matmul(a, b, c):
    s = cuda.shared.array((T, T), float32)
    t = cuda.shared.array((T, T), float32)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    row, col = cuda.blockIdx.y * T + y, cuda.blockIdx.x * T + x
    total = 0.0
    for k in range(0, a.shape[0], T):
        s[y, x] = a[row, k + x]
        t[y, x] = b[k + y, col]
        cuda.syncthreads()
        for j in range(T):
            total += s[y, j] * t[j, x]
        cuda.syncthreads()
    c[row, col] = total
@cuda.jit
def softmax(x, y):
    part = cuda.shared.array(32, float32)
    i, row = cuda.threadIdx.x, cuda.blockIdx.x
    top = -3.4e38
    for c in range(i, x.shape[1], 32):
        top = max(top, x[row, c])
    part[i] = top
    cuda.syncthreads()
    for w in range(32):
        top = max(top, part[w])
    cuda.syncthreads()
    total = 0.0
    for c in range(i, x.shape[1], 32):
        total += np.exp(x[row, c] - top)
    part[i] = total
    cuda.syncthreads()
    total = 0.0
    for w in range(32):
        total += part[w]
    for c in range(i, x.shape[1], 32):
        y[row, c] = np.exp(x[row, c] - top) / total
rng, out = np.random.default_rng(3), {}
n = 32
a, b, c = (rng.standard_normal((n, n)).astype(np.float32) for _ in range(3))
t = time.process_time(); matmul[(n // T, n // T), (T, T)](a, b, c)
out["matmul 256^3, tiles of 16"] = (1e3 * (time.process_time() - t), (256 // n) ** 3)
assert np.allclose(c, a @ b, atol=1e-3)
x = rng.standard_normal((4, 1000)).astype(np.float32)
y = np.empty_like(x)
t = time.process_time(); softmax[4, 32](x, y)
out["softmax 512 x 1000"] = (1e3 * (time.process_time() - t), 512 // 4)
assert np.allclose(y.sum(1), 1, atol=1e-4)
print(json.dumps(out))
"""


def numba_times(python: str) -> dict[str, tuple[float, int]]:
    """Per name: milliseconds of a smaller case in Numba's simulator, and how much smaller it is."""
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1"}
    ran = subprocess.run(
        [python, "-c", NUMBA], env=environment, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise SystemExit(f"Numba failed:\n{ran.stderr[-1500:]}")
    return json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--numba", help="an interpreter that has Numba")
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    head = [
        "ms by the clock (of processors)",
        "fast, 1",
        "fast, 2",
        "checked",
        "profiled",
        "both",
        "checked/fast",
    ]
    rows = measure(options.repeat)
    if options.numba:
        times = numba_times(options.numba)
        head.append("Numba")
        for row in rows:
            ms, factor = times.get(row[0], (None, 0))
            row.append(f"{ms * factor:.0f} ({ms:.0f} x {factor})" if ms else "")
    for row in [head, *rows]:
        print(f"{row[0]:44}" + "".join(f"{c:>15}" for c in row[1:]))
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as out:
            csv.writer(out).writerows([head, *rows])


if __name__ == "__main__":
    sys.exit(main())
