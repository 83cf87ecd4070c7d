"""Transactions, bank conflicts and divergence are counted as the guide counts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import cudasim as cp

CODE = cp.RawModule(
    code=r"""
extern "C" __global__ void strided(const float *x, float *y, int stride, int shift) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  y[i] = x[i * stride + shift];
}
extern "C" __global__ void fours(const float4 *x, float4 *y) {
  y[threadIdx.x] = x[threadIdx.x];
}
extern "C" __global__ void banks(const float *x, float *y, int stride) {
  __shared__ float s[1056];
  for (int i = threadIdx.x; i < 1056; i += 32) s[i] = x[i];
  __syncthreads();
  y[threadIdx.x] = s[threadIdx.x * stride];
}
extern "C" __global__ void branches(const float *x, float *y, int n) {
  float v = x[threadIdx.x];
  if (threadIdx.x < n) {
    v = v * v + 1.0f;
    y[threadIdx.x] = v;
  }
}
extern "C" __global__ void loops(const float *x, float *y, int n) {
  float sum = 0.0f;
  for (int i = 0; i < n; i++) sum += x[i * 32 + threadIdx.x];
  y[threadIdx.x] = sum;
}
extern "C" __global__ void twice(const float *x, float *y) {
  int i = threadIdx.x;
  for (int k = 0; k < 2; k++) y[i] = x[i] + k;
}
extern "C" __global__ void adds(float *y) {
  atomicAdd(&y[threadIdx.x % 4], 1.0f);
}
struct Row { float v[40]; };
extern "C" __global__ void rows(const Row *x, Row *y) {
  y[threadIdx.x] = x[threadIdx.x];
}
extern "C" __global__ void pairs(const float2 *x, float *y) {
  float2 v = x[threadIdx.x];
  y[threadIdx.x] = v.x * v.x + v.y;
}
"""
)


def counted(name, grid, block, *args, **options) -> cp.Report:
    report = cp.check(CODE.get_function(name), grid, block, args, **options)
    assert report.clean, str(report)
    return report


def floats(n):
    return cp.asarray(np.zeros(n, np.float32))


def access(report, line, array):
    return next(a for a in report.counters.accesses if (a.line, a.array) == (line, array))


@pytest.mark.parametrize(
    ("stride", "shift", "sectors"),
    [(1, 0, 4), (1, 1, 5), (2, 0, 8), (8, 0, 32), (32, 0, 32), (0, 0, 1)],
)
def test_a_request_costs_the_sectors_that_it_touches(stride, shift, sectors):
    report = counted("strided", 3, 64, floats(192 * 32 + 1), cp.empty(192, "f4"), stride, shift)
    read = access(report, 4, "x")
    assert read.requests == 6
    assert read.sectors == 6 * sectors
    assert read.lanes == 192
    assert read.efficiency == pytest.approx((1 if stride == 0 else 4) / sectors)
    assert access(report, 4, "y").sectors == 6 * 4


def test_a_warp_of_float4_costs_sixteen_sectors():
    report = counted("fours", 1, 32, floats(128), cp.empty(128, "f4"))
    assert access(report, 7, "x").sectors == 16
    assert report.traffic_factor == 1


def test_a_vector_is_one_request_however_its_members_are_used():
    report = counted("pairs", 1, 32, floats(64), cp.empty(32, "f4"))
    read = next(a for a in report.counters.accesses if a.array == "x")
    assert (read.requests, read.size, read.sectors) == (1, 8, 8)


@pytest.mark.parametrize(("stride", "ways"), [(1, 1), (2, 2), (4, 4), (32, 32), (33, 1), (0, 1)])
def test_a_bank_serves_one_word_at_a_time(stride, ways):
    report = counted("banks", 1, 32, floats(1056), cp.empty(32, "f4"), stride)
    read = access(report, 13, "s")
    assert (read.wavefronts, read.least_wavefronts) == (ways, 1)
    assert report.counters.bank_conflicts == ways - 1
    assert report.counters.n_barriers == 1


@pytest.mark.parametrize("n", [4, 16, 32])
def test_lanes_that_skip_a_branch_are_not_at_work_there(n):
    report = counted("branches", 1, 32, floats(32), cp.empty(32, "f4"), n)
    inside = {s.line: s.active for s in report.counters.steps if s.line in (18, 19)}
    assert inside
    assert set(inside.values()) == {n / 32}


def test_the_lanes_of_a_long_loop_stay_together():
    n = 500  # far more than the window of runtime/counters.cpp
    report = counted("loops", 1, 32, floats(32 * n), cp.empty(32, "f4"), n)
    read = access(report, 24, "x")
    assert (read.requests, read.sectors) == (n, 4 * n)
    assert report.counters.active == 1


def test_traffic_is_set_beside_the_least():
    report = counted("twice", 1, 32, floats(32), cp.empty(32, "f4"))
    x, y = report.counters.traffic
    assert (x.array, x.least_read_bytes, x.written_bytes) == ("x", 128, 0)
    assert (y.written_bytes, y.least_written_bytes) == (256, 128)


def test_an_atomic_reads_and_writes():
    report = counted("adds", 2, 32, floats(8))
    (y,) = report.counters.traffic
    assert (y.read_bytes, y.written_bytes) == (64, 64)


def test_counting_does_not_change_what_is_computed():
    x = cp.asarray(np.random.default_rng(0).random(32 * 100, dtype=np.float32))
    outs = [cp.empty(32, "f4") for _ in range(3)]
    CODE.get_function("loops")((1,), (32,), (x, outs[0], 100))
    counted("loops", 1, 32, x, outs[1], 100, profile=False)
    counted("loops", 1, 32, x, outs[2], 100, sanitize=False)
    assert len({o.get().tobytes() for o in outs}) == 1


def test_a_process_with_little_address_space_counts_all_the_same():
    """Sandboxes limit it (RLIMIT_AS); what is only reserved must not be what fails."""
    program = (
        "import resource, numpy as np, cudasim as cp\n"
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))\n"
        "k = cp.RawKernel('extern \"C\" __global__ void f(float* o) { *o = 1; }', 'f')\n"
        "report = cp.check(k, (1,), (1,), (cp.zeros(32, np.float32),))\n"
        "print(report.counters.moved_bytes)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "CUDASIM_THREADS": "1"},
        cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert ran.stdout == "32\n", ran.stderr


def test_a_large_struct_is_as_many_requests_as_it_has_pieces_of_16_bytes():
    x = np.zeros(32, [("v", "f4", 40)])
    report = counted("rows", 1, 32, cp.asarray(x), cp.empty(32, x.dtype))
    for access in (a for a in report.counters.accesses if a.space == "global"):
        assert access.requests == 10
        assert access.sectors == 10 * 32  # neighbours lie 160 bytes apart
    assert report.counters.least_bytes == 2 * x.nbytes
