"""One function decides where kernels run. No GPU is at hand here: CuPy is a stand-in."""

from __future__ import annotations

import stat
import sys
import types

import numpy as np
import pytest

import cudasim as cp
from cudasim import device

CODE = """extern "C" __global__ void scaled(const float *x, float *y, float by, float *unused) {
  y[threadIdx.x] = x[threadIdx.x] * by;
}
"""


def fake_cupy(available: object) -> types.ModuleType:
    def is_available() -> bool:
        if isinstance(available, Exception):
            raise available
        return bool(available)

    module = types.ModuleType("cupy")
    module.cuda = types.SimpleNamespace(is_available=is_available)
    return module


@pytest.mark.parametrize(
    ("available", "wanted", "is_gpu"),
    [(True, "auto", True), (False, "auto", False), (RuntimeError("old driver"), "auto", False),
     (True, "simulator", False), (True, "gpu", True)],
)  # fmt: skip
def test_a_gpu_is_taken_where_there_is_one(monkeypatch, available, wanted, is_gpu):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(available))
    monkeypatch.setenv("CUDASIM_DEVICE", wanted)
    assert device.library() is (sys.modules["cupy"] if is_gpu else cp)


def test_a_gpu_that_is_demanded_and_missing_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.setenv("CUDASIM_DEVICE", "gpu")
    with pytest.raises(cp.CudasimError, match="sees no GPU"):
        device.library()
    monkeypatch.setenv("CUDASIM_DEVICE", "tpu")
    with pytest.raises(cp.CudasimError, match="want one of auto, gpu, simulator"):
        device.library()


class CupyArray:
    """As much of a CuPy array as ``check`` and ``save_launch`` touch."""

    def __init__(self, host: np.ndarray) -> None:
        self._host, self.shape = host, host.shape

    def get(self) -> np.ndarray:
        return self._host.copy()


def test_kernels_and_arrays_of_cupy_are_checked_on_copies():
    kernel = types.SimpleNamespace(code=CODE, name="scaled", options=())
    x, y = CupyArray(np.ones(8, np.float32)), CupyArray(np.zeros(8, np.float32))
    report = cp.check(kernel, (1,), (8,), (x, y, np.float32(2), None))
    assert report.clean
    assert report.counters.moved_bytes == 64
    assert not y.get().any()


def test_times_say_where_they_were_taken():
    x = cp.zeros(8, np.float32)
    kernel = cp.RawKernel(CODE, "scaled")
    timing = device.time_launch(kernel, 1, 8, (x, x, np.float32(2), None), repeat=3)
    assert timing.where == "simulator"
    assert timing.n == 3
    assert 0 < timing.least_ms <= timing.median_ms


def test_compute_sanitizer_gets_the_launch_and_its_verdict_is_read(monkeypatch, tmp_path):
    program = tmp_path / "compute-sanitizer"
    program.write_text(
        '#!/bin/sh\ntool=$2\nshift 2\n"$@" || exit 1\n'
        'echo "========= $tool"\necho "========= ERROR SUMMARY: 3 errors"\n',
        encoding="utf-8",
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    kernel = cp.RawKernel(CODE, "scaled")
    x = cp.zeros(8, np.float32)
    args = (x, x, np.float32(2), None)
    monkeypatch.setenv("PATH", f"{tmp_path}:{__import__('os').environ['PATH']}")
    monkeypatch.setenv("CUDASIM_DEVICE", "simulator")
    verdict = device.compute_sanitizer(kernel, 1, 8, args, tool="synccheck")
    assert verdict.n_errors == 3
    assert "========= synccheck" in verdict.log
    with pytest.raises(cp.CudasimError, match="no verdict"):
        device.compute_sanitizer(kernel, 1, 8, args[:2])
    with pytest.raises(cp.CudasimError, match="want one of memcheck"):
        device.compute_sanitizer(kernel, 1, 8, args, tool="lint")
    monkeypatch.setenv("PATH", "")
    assert device.compute_sanitizer(kernel, 1, 8, args) is None
