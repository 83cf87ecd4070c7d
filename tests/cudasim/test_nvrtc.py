"""NVIDIA's compiler takes our corpus for CUDA; what it costs is read from its log."""

from __future__ import annotations

import pytest

import cudasim as cp
from cudasim import nvrtc
from tests.cudasim import corpus

FILES = sorted(corpus.HERE.rglob("*.cu"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_corpus_is_cuda(path):
    text = path.read_text(encoding="utf-8")
    verdict = nvrtc.judge(text)
    assert {c.name for c in verdict.costs} == {
        k.name for k in cp.RawModule(code=text).source.kernels
    }


SPILLING = r"""
template <int N>
__device__ float mixed(const float *x) {
  float v[N];
  for (int i = 0; i < N; i++) v[i] = x[i * 32];
  for (int k = 0; k < 8; k++)
    for (int i = 0; i < N; i++) v[i] = v[i] * v[(i + 7) % N] + v[(i + k) % N];
  float sum = 0.0f;
  for (int i = 0; i < N; i++) sum += v[i];
  return sum;
}
extern "C" __global__ void __launch_bounds__(1024) spills(const float *x, float *y) {
  y[threadIdx.x] = mixed<128>(x + threadIdx.x);
}
extern "C" __global__ void fits(const float *x, float *y) {
  __shared__ float s[256];
  s[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = s[255 - threadIdx.x];
}
"""


@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
def test_registers_spills_and_shared_memory_are_told(arch):
    verdict = nvrtc.judge(SPILLING, arch=arch)
    spills, fits = verdict.cost("spills"), verdict.cost("fits")
    assert spills.n_registers <= 64  # what 1,024 threads of a block may have
    assert spills.spill_store_bytes > 0
    assert (fits.spill_store_bytes, fits.shared_bytes) == (
        0,
        1024 if arch == "sm_80" else fits.shared_bytes,
    )
    assert fits.shared_bytes >= 1024
    assert fits.occupancy(256).part == 1


# (arch, threads, registers, shared bytes) -> warps, by NVIDIA's occupancy calculator
@pytest.mark.parametrize(
    ("arch", "threads", "registers", "shared", "warps", "limit"),
    [
        ("sm_80", 256, 32, 0, 64, "threads"),
        ("sm_80", 256, 40, 0, 48, "registers"),
        ("sm_80", 256, 64, 0, 32, "registers"),
        ("sm_80", 32, 32, 0, 32, "blocks"),
        ("sm_80", 256, 32, 48 << 10, 24, "shared memory"),
        ("sm_86", 256, 32, 0, 48, "threads"),
        ("sm_75", 1024, 64, 0, 32, "threads"),
    ],
)
def test_occupancy_is_what_the_calculator_says(arch, threads, registers, shared, warps, limit):
    found = nvrtc.occupancy(arch, threads, registers, shared)
    assert (found.n_warps, found.limit) == (warps, limit)


def test_an_unknown_architecture_and_an_unknown_kernel_are_named():
    with pytest.raises(cp.CudasimError, match="arch 'sm_1': want one of sm_75"):
        nvrtc.judge("", arch="sm_1")
    with pytest.raises(cp.CudasimError, match="no kernel 'absent', got "):
        nvrtc.judge(SPILLING).cost("absent")
