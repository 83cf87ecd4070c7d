"""One function decides where kernels run. No GPU is at hand here: CuPy is a stand-in."""

from __future__ import annotations

import os
import stat
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import cudasim as cp
from cudasim import device, replay

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


class Recorder:
    """A CuPy whose kernels, events and device write down what is asked of them, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        this = self

        class Event:
            def record(self) -> None:
                this.asked.append("record")

            def synchronize(self) -> None:
                this.asked.append("synchronize")

        device_ = types.SimpleNamespace(synchronize=lambda: this.asked.append("synchronize"))
        self.cuda = types.SimpleNamespace(
            Event=Event, Device=lambda: device_, get_elapsed_time=lambda begin, end: 0.5
        )

    def RawKernel(self, code: str, name: str):  # noqa: N802 - CuPy's name
        return lambda grid, block, args, shared_mem=0: self.asked.append(name)


def test_timed_launches_wait_on_a_gpu_until_the_host_has_made_all_of_them(monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(device, "gpu", lambda: recorder)
    timing = device.time_launch(recorder.RawKernel("", "k"), 1, 8, (), repeat=3)
    assert (timing.where, timing.median_ms, timing.n) == ("gpu", 0.5, 3)
    warmed, compiled = ["k"], ["wait", "synchronize"]
    queued = ["wait", *3 * ["record", "k", "record"]]  # the host looks at nothing in between
    assert recorder.asked == [*warmed, *compiled, *queued, "synchronize"]


def test_a_kernel_of_a_cupy_template_is_found_by_its_name_in_the_source():
    code = "template <int N> __global__ void filled(int *x) { x[threadIdx.x] = N; }"

    class Template:  # CuPy gives such a kernel its mangled name and keeps the instances to itself
        def __init__(self, *expressions: str) -> None:
            self.code, self.name, self.options = code, "_Z6filledILi7EEvPi", ()
            self.expressions = expressions

        def __getstate__(self):
            return {"name_expressions": self.expressions}

    report = cp.check(Template("filled<7>"), 1, 8, (CupyArray(np.zeros(7, np.int32)),))
    assert report.kinds == ("out-of-bounds",)
    with pytest.raises(cp.CudasimError, match="2 instances of filled"):
        cp.check(Template("filled<7>", "filled<8>"), 1, 8, (CupyArray(np.zeros(8, np.int32)),))


def test_a_launch_comes_back_with_what_was_written_and_what_was_not(monkeypatch, tmp_path):
    monkeypatch.setenv("CUDASIM_DEVICE", "simulator")
    code = """template <int N> __global__ void plus(const float *x, float *y, int n) {
      if (threadIdx.x < n) y[threadIdx.x] = x[threadIdx.x] + N;
    }"""
    kernel = cp.RawModule(code=code, name_expressions=("plus<2>",)).get_function("plus<2>")
    x, y = cp.empty((2, 8), np.float32), cp.empty(8, np.float32)
    x[0, :5] = 1.0
    path = tmp_path / "launch.npz"
    device.save_launch(path, kernel, 1, 8, (x, y, np.int32(5)), 0)
    there, result, _ = replay.replay(path)
    assert there._written().tolist() == 20 * [1] + 44 * [0]
    assert result._written() is None or result._written()[:20].all()
    assert result.get()[:5].tolist() == 5 * [3.0]
    records = cp.asarray(np.ones(2, [("key", "f4"), ("value", "i4")]))
    assert replay.placed(cp, records.get(), None).get().tobytes() == records.get().tobytes()


def test_a_sanitizer_that_never_ends_is_ended_with_all_it_started(monkeypatch, tmp_path):
    program = tmp_path / "compute-sanitizer"
    program.write_text(f"#!/bin/sh\nsleep 60 & echo $! > {tmp_path}/pid\nwait\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDASIM_DEVICE", "simulator")
    kernel, x = cp.RawKernel(CODE, "scaled"), cp.zeros(8, np.float32)
    with pytest.raises(cp.CudasimError, match="no end after 1 s"):
        device.compute_sanitizer(kernel, 1, 8, (x, x, np.float32(2), None), timeout_s=1)
    state = Path("/proc", (tmp_path / "pid").read_text().strip(), "stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


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
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDASIM_DEVICE", "simulator")
    verdict = device.compute_sanitizer(kernel, 1, 8, args, tool="synccheck")
    assert verdict.n_errors == 3
    assert "========= synccheck" in verdict.log
    with pytest.raises(cp.CudasimError, match="no verdict"):
        device.compute_sanitizer(kernel, 1, 8, args[:2])
    program.write_text('#!/bin/sh\necho "========= ERROR SUMMARY: 0 errors"\n')
    with pytest.raises(cp.CudasimError, match="no verdict"):  # nothing was launched
        device.compute_sanitizer(kernel, 1, 8, args)
    with pytest.raises(cp.CudasimError, match="want one of memcheck"):
        device.compute_sanitizer(kernel, 1, 8, args, tool="lint")
    monkeypatch.setenv("PATH", "")
    assert device.compute_sanitizer(kernel, 1, 8, args) is None
