"""Does cudasim's door open? Kernels, arrays, times, check, save and replay with CuPy on a GPU.

Owns: one job for each promise of cudasim/device.py and of the names that cudasim shares with CuPy.
"""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np
from gpu_kernels import Row

import cudasim
from cudasim import device, replay

SCALED = r"""
extern "C" __global__ void scaled(const float* x, float* y, float by, const float* unused, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = x[i] * by + (unused ? unused[0] : 0);
}
"""
REVERSED = r"""
extern "C" __global__ void reversed(const float* x, float* y, int n) {
    extern __shared__ float s[];
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        s[i] = x[i];
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x)
        y[i] = s[n - 1 - i];
}
"""
FILLED = r"""
template <int VALUE> __global__ void filled(int* x) { x[threadIdx.x] = VALUE; }
"""


def row(name: str, holds: bool, note: str = "") -> Row:
    return Row("door", name, "so", "so" if holds else "not so", note)


def kernels_and_arrays() -> list[Row]:
    """The calls of a notebook."""
    cupy = device.library()
    x = np.arange(1000, dtype=np.float32)
    args = cupy.asarray(x), cupy.empty(1000, np.float32), np.float32(3), None, np.int32(1000)
    kernel = cupy.RawKernel(SCALED, "scaled")
    kernel((4,), (256,), args)
    right = np.array_equal(cupy.asnumpy(args[1]), 3 * x)
    made = cupy.RawModule(code=FILLED, name_expressions=("filled<7>",)).get_function("filled<7>")
    seven = cupy.zeros(32, np.int32)
    made((1,), (32,), (seven,))
    rows = [
        row("library() is CuPy", device.library() is device.gpu() and cupy.__name__ == "cupy"),
        row("RawKernel, arrays, a null pointer", right),
        row("RawModule with a template", bool((seven.get() == 7).all())),
    ]
    report = cudasim.check(kernel, 4, 256, args)
    rows.append(row("check of a CuPy kernel on copies", report.clean, str(report).split("\n")[0]))
    report = cudasim.check(kernel, 4, 256, (*args[:4], np.int32(1001)))
    rows.append(row("check finds its fault", report.kinds == ("out-of-bounds",)))
    report = cudasim.check(made, 1, 32, (cupy.zeros(31, np.int32),))
    rows.append(row("check of a template's instance", report.kinds == ("out-of-bounds",)))
    return rows


def times() -> list[Row]:
    """Events around launches: from an idle GPU they measure the host, queued they do not."""
    cupy = device.library()
    args = *(cupy.zeros(1000, np.float32) for _ in range(2)), np.float32(3), None, np.int32(1000)
    kernel = cupy.RawKernel(SCALED, "scaled")
    queued = device.time_launch(kernel, 4, 256, args, repeat=100)
    idle = []
    for _ in range(100):
        begin, end = cupy.cuda.Event(), cupy.cuda.Event()
        begin.record()
        kernel((4,), (256,), args)
        end.record()
        end.synchronize()
        idle.append(cupy.cuda.get_elapsed_time(begin, end))
    note = f"queued {1e3 * queued.median_ms:.1f} us, idle {1e3 * statistics.median(idle):.1f} us"
    n = 1 << 26
    large = *(cupy.zeros(n, np.float32) for _ in range(2)), np.float32(3), None, np.int32(n)
    copied = device.time_launch(kernel, n // 256, 256, large, repeat=20)
    gbs = 8e-6 * n / copied.median_ms
    return [
        row("time_launch is the GPU's", queued.where == "gpu", note),
        row("a large copy takes memory's time", 200 < gbs < 20000, f"{gbs:.0f} GB/s"),
    ]


def saved_and_replayed() -> list[Row]:
    """save_launch and replay, with more shared memory than is given unasked."""
    cupy = device.library()
    n = 20000
    x = np.random.default_rng(0).standard_normal(n).astype(np.float32)
    args = cupy.asarray(x), cupy.zeros(n, np.float32), np.int32(n)
    kernel = cupy.RawKernel(REVERSED, "reversed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "launch.npz")
        device.save_launch(path, kernel, 1, 256, args, 4 * n)
        after = replay.replay(path)
    timing = device.time_launch(kernel, 1, 256, args, shared_mem=4 * n, repeat=3)
    timed = timing.where == "gpu" and np.array_equal(args[1].get(), x[::-1])
    return [
        row("replay with 80 KB of shared memory", np.array_equal(after[1].get(), x[::-1])),
        row("time_launch with them", timed),
    ]


def sanitized() -> list[Row]:
    """compute_sanitizer on CuPy's kernels and arrays: a clean launch, and one past the end."""
    cupy = device.library()
    kernel = cupy.RawKernel(SCALED, "scaled")
    x, y = (cupy.zeros(1000, np.float32) for _ in range(2))
    rows = []
    for n in (1000, 1001):
        said = device.compute_sanitizer(kernel, 4, 256, (x, y, np.float32(2), None, np.int32(n)))
        found = said.n_errors if said else -1
        right = found == 0 if n == 1000 else found > 0
        rows.append(row(f"compute-sanitizer, {n} of 1000", right, f"{found} errors"))
    return rows
