"""What a launch refuses, survives and says, hostile kernels among them."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest

import cudasim as cp
from cudasim import compiler
from tests.cudasim import corpus

BAD = cp.RawModule(
    code=r"""
extern "C" __global__ void endless(float *x) {
  for (;;) x[0] += 1.0f;
}
extern "C" __global__ void wild(float *x, long long far) {
  x[threadIdx.x] = 1.0f;
  x[far] = 1.0f;
}
__device__ int deeper(volatile int *p, int n) {
  volatile char room[4096];
  room[n % 4096] = (char)n;
  return p[0] ? deeper(p, n + 1) + room[0] : 0;
}
extern "C" __global__ void recursive(float *x) {
  volatile int one = 1;
  x[0] = deeper(&one, 0);
}
extern "C" __global__ void waits(float *x) {
  if (threadIdx.x < 16) x[0] = __shfl_sync(0xffffffffu, x[0], 0);
  __syncthreads();
}
extern "C" __global__ void asserts(float *x) {
  assert(threadIdx.x < 3);
}
extern "C" __global__ void nothing(float *x) {}
extern "C" __global__ void large(float *x) {
  __shared__ float s[20000];
  s[threadIdx.x] = 1.0f;
  __syncthreads();
  x[0] = s[threadIdx.x ^ 1];
}
extern "C" __global__ void scalars(float a, int b, double c, unsigned char d, bool e, long f) {}
__global__ void mangled(float *x) {}
#include <cooperative_groups.h>
extern "C" __global__ void meets_the_grid(float *x) {
  cooperative_groups::this_grid().sync();
}
"""
)


def run(name, *args, grid=(1,), block=(1,), **options):
    grid, block = (s if isinstance(s, tuple) else (s,) for s in (grid, block))
    BAD.get_function(name)(grid, block, args or (cp.zeros(8, np.float32),), **options)


@pytest.mark.parametrize(
    ("grid", "block", "shared", "said"),
    [
        (0, 1, 0, "grid.x is 0"),
        (2**31, 1, 0, "grid.x is 2147483648, want 1 to 2147483647"),
        ((1, 65536), 1, 0, "grid.y is 65536"),
        (1, 2048, 0, "block.x is 2048"),
        (1, (64, 32), 0, "2048 threads, at most 1024"),
        (1, (1, 1, 65), 0, "block.z is 65"),
        (1.5, 1, 0, "whole numbers"),
        ((), 1, 0, "want a tuple of one to three sizes"),
        (1, 1, 10 << 30, "at most 232448 bytes"),
        (1, 1, 60000, "max_dynamic_shared_size_bytes = 60000"),
    ],
)
def test_sizes_that_no_gpu_takes_are_refused(grid, block, shared, said):
    with pytest.raises(cp.LaunchError, match=re.escape(said)):
        run("nothing", grid=grid, block=block, shared_mem=shared)


def test_more_shared_memory_is_given_to_those_who_ask_before():
    kernel = BAD.get_function("nothing")
    kernel.max_dynamic_shared_size_bytes = 100_000
    kernel((1,), (1,), (cp.zeros(1, np.float32),), shared_mem=100_000)
    with pytest.raises(cp.LaunchError, match="80000 bytes of __shared__"):
        run("large")


def test_a_kernel_that_does_not_end_is_stopped():
    with cp.configured(time_limit_s=0.2), pytest.raises(cp.TimeLimit, match="0 of 4 blocks"):
        run("endless", grid=4)
    with cp.configured(time_limit_s=0.2), pytest.raises(cp.TimeLimit, match="of 2147483647 blocks"):
        run("nothing", grid=2**31 - 1)


def test_ctrl_c_ends_a_launch(monkeypatch):
    timer = threading.Timer(0.3, __import__("_thread").interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run("endless", grid=2)
    timer.join()
    run("nothing")


def test_a_wild_write_is_an_error_with_its_line_and_python_goes_on():
    x = cp.zeros(8, np.float32)
    with pytest.raises(cp.CUDADriverError, match=r"illegal memory access.*line 7") as caught:
        run("wild", x, 1 << 43, block=4)
    assert caught.value.line == 7
    with pytest.raises(cp.CUDADriverError, match="ran out of stack"):
        run("recursive")
    run("nothing")


def test_a_block_that_cannot_go_on_says_who_waits_where():
    with pytest.raises(cp.CUDADriverError) as caught:
        run("waits", block=32)
    said = str(caught.value)
    assert "16 threads (first (0,0,0)) wait at __shfl_sync with mask 0xffffffff at line 19" in said
    assert "16 threads (first (16,0,0)) wait at __syncthreads at line 20" in said


def test_an_assert_names_block_thread_and_condition():
    message = (
        r"kernel\.cu:23: thread \(3,0,0\) of block \(0,0,0\): Assertion `threadIdx\.x < 3` failed"
    )
    with pytest.raises(cp.CUDADriverError, match=message):
        run("asserts", block=8)


GOOD = (np.float32(1), 2, 3.0, 4, True, 5)


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (0, 1.0, "argument 1 (a): want np.float32, 4 bytes, got float 1.0"),
        (0, np.float64(1), "want np.float32"),
        (0, 1, "want np.float32"),
        (1, 2**40, "1099511627776 does not fit 4 bytes"),
        (1, np.int64(2), "want np.int32"),
        (2, np.float32(3), "want np.float64"),
        (3, 300, "300 does not fit 1 bytes"),
    ],
)
def test_scalars_of_another_size_are_refused(at, value, said):
    run("scalars", *GOOD)
    args = [*GOOD]
    args[at] = value
    with pytest.raises(cp.LaunchError, match=re.escape(said)):
        run("scalars", *args)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "takes 1 arguments (x), got 0"),
        ((np.zeros(4, np.float32),), "use asarray(x)"),
        ((cp.zeros(4, np.float64),), "want a pointer to float32, got an array of float64"),
        ((3,), "want an array, got int"),
    ],
)
def test_arrays_of_another_kind_are_refused(args, said):
    with pytest.raises(cp.LaunchError, match=re.escape(said)):
        BAD.get_function("nothing")((1,), (1,), args)


def test_sizes_are_tuples_as_for_cupy():
    kernel = BAD.get_function("nothing")
    for grid, block in ((1, (1,)), ((1,), 1), ([1], (1,))):
        with pytest.raises(
            cp.LaunchError, match="want a tuple of one to three sizes, as CuPy does"
        ):
            kernel(grid, block, (cp.zeros(1, np.float32),))


def test_a_kernel_that_cupy_would_not_find_is_not_found():
    with pytest.raises(cp.CUDADriverError, match=r'line 33\) is not extern "C"'):
        run("mangled")
    with pytest.raises(cp.CUDADriverError, match="no kernel 'absent' in the source"):
        run("absent")
    code = "template <int N> __global__ void filled(int *x) { x[threadIdx.x] = N; }"
    with pytest.raises(
        cp.CUDADriverError, match=r"RawModule\(.*'filled<4>',\)\) makes an instance"
    ):
        cp.RawKernel(code, "filled<4>")((1,), (8,), (cp.zeros(8, np.int32),))


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setenv("CUDASIM_CXX", "no-such-compiler")
    with pytest.raises(cp.CompilerMissing, match=r"apt-get install g\+\+"):
        compiler.compiler()


def test_the_portable_switch_of_fibers_computes_the_same(monkeypatch):
    code = r"""
extern "C" __global__ void tree(const float *x, float *y) {
  __shared__ float s[64];
  s[threadIdx.x] = x[threadIdx.x];
  for (int d = 32; d; d /= 2) {
    __syncthreads();
    if (threadIdx.x < d) s[threadIdx.x] += s[threadIdx.x + d];
  }
  if (threadIdx.x < 32) y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, s[0] + threadIdx.x, 1);
}
"""
    x = cp.asarray(np.random.default_rng(4).random(64, dtype=np.float32))
    answers = []
    for fibers in ("", "ucontext"):
        monkeypatch.setenv("CUDASIM_FIBERS", fibers)
        y = cp.empty(32, np.float32)
        cp.RawKernel(code + f"// {fibers}", "tree")((1,), (64,), (x, y))
        answers.append(y.get())
    assert np.array_equal(*answers)
    np.testing.assert_allclose(answers[0], x.get().sum() + (np.arange(32) ^ 1), rtol=1e-6)


def test_a_barrier_of_the_whole_grid_is_refused_by_name():
    with pytest.raises(cp.NotSimulated, match=r"meets_the_grid, line 36: grid\.sync\(\)"):
        run("meets_the_grid", grid=2)


def test_launches_from_two_threads_do_not_mix():
    kernel = cp.RawKernel(
        """extern "C" __global__ void fills(float *x, float v) {
  __shared__ float s[64];
  s[threadIdx.x] = v;
  __syncthreads();
  x[blockIdx.x * 64 + threadIdx.x] = s[63 - threadIdx.x];
}""",
        "fills",
    )
    outs = [cp.empty(64 * 64, np.float32) for _ in range(6)]

    def work(first: int) -> None:
        for i in range(first, 6, 2):
            kernel((64,), (64,), (outs[i], np.float32(i)))

    threads = [threading.Thread(target=work, args=(n,)) for n in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [set(o.get().tolist()) for o in outs] == [{float(i)} for i in range(6)]


def test_a_compiler_that_puts_checked_calls_in_unasked_is_told_not_to(
    monkeypatch, tmp_path, capsys
):
    """Ubuntu's does: no kernel compiled there, for calls that it had not written."""
    hardened = tmp_path / "g++"
    flags = "-D_FORTIFY_SOURCE=2 -fstack-protector-strong"
    hardened.write_text(f'#!/bin/sh\nexec {compiler.compiler()} {flags} "$@"\n', encoding="utf-8")
    hardened.chmod(0o755)
    monkeypatch.setenv("CUDASIM_CXX", str(hardened))
    monkeypatch.setenv("CUDASIM_CACHE", str(tmp_path / "cache"))
    case = next(c for c in corpus.cases("clean") if c.name == "large_structs_are_copied")
    code = (
        case.path.read_text(encoding="utf-8")
        + """
    extern "C" __global__ void said(const float *y) { printf("%f\\n", y[threadIdx.x]); }"""
    )
    x, y = cp.asarray(np.arange(32, dtype=np.float32)), cp.empty(32, np.float32)
    kernel = cp.RawKernel(code, case.name)
    kernel((1,), (32,), (x, y))
    assert y.get().tolist() == [39.0 * (31 - i) for i in range(32)]
    assert cp.check(kernel, 1, 32, (x, cp.empty(32, np.float32))).clean
    cp.RawKernel(code, "said")((1,), (1,), (y,))
    assert capsys.readouterr().out == "1209.000000\n"
