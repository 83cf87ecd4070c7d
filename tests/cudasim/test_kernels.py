"""Kernels compute what CUDA says they compute: indices, warps, atomics, halves, templates."""

from __future__ import annotations

import numpy as np
import pytest

import cudasim as cp

SHUFFLES = cp.RawModule(
    code=r"""
extern "C" __global__ void shuffles(const int *x, int *y, int by, int width) {
  int v = x[threadIdx.x];
  y[threadIdx.x] = __shfl_sync(0xffffffffu, v, by, width);
  y[threadIdx.x + 32] = __shfl_up_sync(0xffffffffu, v, by, width);
  y[threadIdx.x + 64] = __shfl_down_sync(0xffffffffu, v, by, width);
  y[threadIdx.x + 96] = __shfl_xor_sync(0xffffffffu, v, by, width);
}
extern "C" __global__ void votes(const int *x, unsigned int *y) {
  int v = x[threadIdx.x];
  y[threadIdx.x] = __ballot_sync(0xffffffffu, v > 50);
  y[threadIdx.x + 32] = __any_sync(0xffffffffu, v > 98) | __all_sync(0xffffffffu, v >= 0) << 1;
  y[threadIdx.x + 64] = __match_any_sync(0xffffffffu, v % 5);
  y[threadIdx.x + 96] = __reduce_max_sync(0xffffffffu, v) + __reduce_add_sync(0xffffffffu, v);
}
"""
)


def lane_of(kind: int, lane: int, by: int, width: int) -> int:
    """Which lane a shuffle reads (CUDA C++ Programming Guide, warp shuffle functions)."""
    first = lane // width * width
    sources = [
        first + by % width,
        lane - by if lane - by >= first else lane,
        lane + by if lane + by < first + width else lane,
        lane ^ by if lane ^ by < first + width else lane,
    ]
    return sources[kind]


@pytest.mark.parametrize("width", [2, 8, 32])
def test_shuffles_read_the_lane_that_the_guide_says(width):
    x = np.random.default_rng(1).integers(0, 100, 32).astype(np.int32)
    for by in (0, 1, 3, 7, 16, 31):
        y = cp.empty(128, np.int32)
        SHUFFLES.get_function("shuffles")((1,), (32,), (cp.asarray(x), y, by, width))
        want = [x[lane_of(kind, lane, by, width)] for kind in range(4) for lane in range(32)]
        assert y.get().tolist() == want


def test_votes_and_reductions_see_every_lane():
    x = np.random.default_rng(2).integers(0, 100, 32).astype(np.int32)
    y = cp.empty(128, np.uint32)
    SHUFFLES.get_function("votes")((1,), (32,), (cp.asarray(x), y))
    got = y.get().reshape(4, 32)
    assert set(got[0]) == {sum(1 << i for i in range(32) if x[i] > 50)}
    assert set(got[1]) == {int((x > 98).any()) | 2}
    assert got[2].tolist() == [sum(1 << i for i in range(32) if x[i] % 5 == v % 5) for v in x]
    assert set(got[3]) == {x.max() + x.sum()}


MIXED = cp.RawModule(
    code=r"""
#include <cuda_fp16.h>
__constant__ float scale[2];
__device__ int calls;
extern "C" __global__ void __launch_bounds__(64) where(int *y) {
  int b = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  int t = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  y[b * 24 + t] = b * 1000 + t;
}
extern "C" __global__ void halves(const half *a, const half *b, const half *c, half *y, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  y[i] = a[i] + b[i];
  y[n + i] = __hmul(a[i], b[i]);
  y[2 * n + i] = a[i] / b[i];
  y[3 * n + i] = __hfma(a[i], b[i], c[i]);
}
extern "C" __global__ void says(float *x) {
  if (threadIdx.x == 1) printf("thread %d has %.2f\n", threadIdx.x, x[1]);
}
template <class T, int N>
__global__ void reversed(T *x) {
  __shared__ T s[N];
  s[threadIdx.x] = x[threadIdx.x] * T(scale[1]);
  __syncthreads();
  x[threadIdx.x] = s[N - 1 - threadIdx.x];
  if (threadIdx.x == 0) atomicAdd(&calls, 1);
}
extern "C" __global__ void sums(int *y) {
  atomicAdd(&y[0], 2);
  atomicMax(&y[1], (int)(blockIdx.x * blockDim.x + threadIdx.x));
  atomicInc((unsigned int *)&y[2], 9);
  atomicXor(&y[3], 1 << threadIdx.x % 8);
}
""",
    name_expressions=("reversed<float, 8>", "reversed<double, 4>"),
)


def test_indices_run_over_all_dimensions():
    y = cp.empty(12 * 24, np.int32)
    MIXED.get_function("where")((2, 3, 2), (2, 3, 4), (y,))
    blocks, threads = np.meshgrid(np.arange(12), np.arange(24), indexing="ij")
    assert np.array_equal(y.get().reshape(12, 24), blocks * 1000 + threads)


def test_halves_round_as_numpy_rounds_them():
    bits = np.random.default_rng(3).integers(0, 0x7C00, (3, 4096)).astype(np.uint16)
    a, b, c = bits.view(np.float16)
    y = cp.empty(4 * 4096, np.float16)
    args = (cp.asarray(a), cp.asarray(b), cp.asarray(c), y, 4096)
    MIXED.get_function("halves")((16,), (256,), args)
    with np.errstate(all="ignore"):
        fused = (a.astype(np.float64) * b + c).astype(np.float16)
        want = np.concatenate([a + b, a * b, a / b, fused])
    assert np.array_equal(y.get(), want, equal_nan=True)


def test_printf_goes_where_python_prints(capsys):
    MIXED.get_function("says")((1,), (4,), (cp.asarray(np.float32([1, 2.5, 3, 4])),))
    assert capsys.readouterr().out == "thread 1 has 2.50\n"


def test_templates_are_named_by_expressions_and_variables_are_shared_by_launches():
    MIXED.get_global("scale").view(np.float32)[...] = np.float32([0, 3])
    MIXED.get_global("calls").view(np.int32)[...] = 0
    for name, dtype, n in (
        ("reversed<float, 8>", np.float32, 8),
        ("reversed<double, 4>", float, 4),
    ):
        x = cp.arange(n, dtype=dtype)
        MIXED.get_function(name)((1,), (n,), (x,))
        assert x.get().tolist() == [3.0 * v for v in range(n)][::-1]
    assert MIXED.get_global("calls").view(np.int32).get().tolist() == [2]


@pytest.mark.parametrize("threads", [1, 3])
def test_atomics_lose_nothing_whatever_the_number_of_threads(threads):
    y = cp.zeros(4, np.int32)
    with cp.configured(threads=threads):
        MIXED.get_function("sums")((16,), (64,), (y,))
    assert y.get().tolist() == [2048, 1023, 1024 % 10, 0]


def test_attributes_tell_what_the_source_declares():
    attributes = MIXED.get_function("where").attributes
    assert attributes["max_threads_per_block"] == 64
    assert MIXED.get_function("reversed<float, 8>").attributes["shared_size_bytes"] >= 32


def test_arrays_do_not_turn_into_numpy_arrays_by_themselves():
    x = cp.arange(4, dtype=np.float32)
    with pytest.raises(TypeError, match=r"\.get\(\)"):
        np.asarray(x)
    assert isinstance(np.exp(x) + 1, cp.ndarray)
    assert cp.get_array_module(x) is cp
    assert np.isnan(cp.empty(3, np.float32).get()).all()


def test_comparisons_and_gaps_are_those_of_cupy():
    x = cp.arange(3)
    cp.testing.assert_array_equal(x * 2, np.array([0, 2, 4]))
    with pytest.raises(AssertionError):
        cp.testing.assert_allclose(x, [0, 1, 3])
    with pytest.raises(AttributeError, match="random"):
        _ = cp.random  # NumPy's would give arrays of the host


def test_a_view_is_launched_in_place():
    x = cp.zeros((4, 8), np.int32)
    MIXED.get_function("sums")((1,), (32,), (x[2],))
    assert x.get()[2].tolist() == [64, 31, 32 % 10, 0, 0, 0, 0, 0]
    assert not x.get()[[0, 1, 3]].any()


def test_a_helper_may_have_the_kernels_name():
    code = """
__device__ float twice(float v) { return 2 * v; }
extern "C" __global__ void twice(const float *__restrict__ x,
                                 float *y /* as many */, const int n) {
  int i = threadIdx.x;
  if (i < n) y[i] = twice(x[i]);
}
__device__ int twice(int v) { return 2 * v; }
"""
    x, y = cp.asarray(np.arange(3, dtype=np.float32)), cp.zeros(3, np.float32)
    cp.RawKernel(code, "twice")((1,), (32,), (x, y, np.int32(3)))
    assert cp.asnumpy(y).tolist() == [0, 2, 4]
    if cp.nvrtc.is_available():
        assert cp.nvrtc.judge(code).costs
