"""Errors stand at the student's own line and in the words of NVIDIA's front end."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cudasim as cp
from cudasim import nvrtc

# each is line 3 of a kernel
STATEMENTS = [
    "x[i] = foo;",
    "x[i] = 1.0f",
    "threadIdx.x = 3;",
    "float4 v = make_float4(1, 2);",
    "x[i] = __shfl_xor_sync(~0u, x[i]);",
    "fork();",
    "float y = x;",
    "x.foo = 1;",
    "int i = 3;",
    "undefined_t q;",
    "float4 a, b; a + b;",
    "const int c = 1; c = 2;",
    "return 1;",
    "__syncthread();",
    "std::vector<int> v;",
    "float s[i];",
]
OUTSIDE = [
    "float half_of(float v) { return v / 2; }",
    "namespace a { float half_of(float v) { return v / 2; } }",
    'extern "C" __global__ int answer(float *x) { return 1; }',
    'extern "C" __global__ void g(float *x) { __shared__ int n = 0; x[0] = n; }',
    'extern "C" __global__ void g(float *x) { __shared__ float s[2] = {1, 2}; x[0] = s[1]; }',
    "#include <vector>",
]


def source(statement: str) -> str:
    return f'extern "C" __global__ void f(float *x) {{\n  int i = threadIdx.x;\n  {statement}\n}}\n'


def broken(statement: str) -> cp.CompileException:
    with pytest.raises(cp.CompileException) as caught:
        cp.RawKernel(source(statement), "f").compile()
    return caught.value


@pytest.mark.parametrize("statement", STATEMENTS)
def test_an_error_reads_as_nvrtcs(statement):
    problem = broken(statement)
    line, column, text = problem.errors[0]
    assert line == 3
    assert 1 <= column <= 3 + len(statement)
    assert f"kernel.cu({line},{column}): error: {text}" in problem.log
    assert ".h" not in problem.log
    with pytest.raises(cp.CompileException) as theirs:
        nvrtc.judge(source(statement))
    assert theirs.value.errors[0][2] == text


@pytest.mark.parametrize("line", OUTSIDE)
def test_an_error_outside_of_kernels_reads_as_nvrtcs(line):
    code = f"// one\n{line}\n" + source("x[i] = 1;")
    with pytest.raises(cp.CompileException) as ours:
        cp.RawKernel(code, "f").compile()
    with pytest.raises(cp.CompileException) as theirs:
        nvrtc.judge(code)
    assert ours.value.errors[0][0] == theirs.value.errors[0][0] == 2
    assert theirs.value.errors[0][2].strip().startswith(ours.value.errors[0][2])


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ('asm("nop;");', "asm: inline PTX is not simulated"),
        ("\n#include </etc/passwd>\n", 'cannot open source file "/etc/passwd"'),
        ('\n#include "../secret.h"\n', 'cannot open source file "../secret.h"'),
        ('\n#define J(a, b) a##b\n J(as, m)("nop");', '"asm" is not allowed'),
        ("__attribute__((unused)) int k;", "attributes of the host are not allowed"),
    ],
)
def test_what_would_leave_the_device_is_refused(statement, said):
    assert said in broken(statement).log


@pytest.mark.parametrize("name", ["fork", "socket", "system"])
def test_functions_of_the_host_cannot_be_called(name):
    code = f'extern "C" int {name}(...);\n' + source(f"x[i] = {name}(2, 1, 0);")
    with pytest.raises(cp.CompileException, match="from device code is not allowed") as caught:
        cp.RawKernel(code, "f").compile()
    assert caught.value.errors[0][0] == 4


MADE = """struct S { int v; __device__ S() { for (volatile int i = v = 0; i < 3; i++) v += i; } };
__device__ int made() { return *(volatile int *)8; }
"""


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize(
    ("declared", "line"),
    [
        ("__device__ int one = made();", 3),  # would read memory that is nobody's
        ("__device__ S one;", 3),
        ("__device__ S one, two;\n__constant__ int three = made();", 0),  # which of them?
        ("struct D { ~D() { for (;;) ; } };\nD left;", 0),  # would not end when all is done
        ("template <int N> struct T { static int v; };\n"
         "template <int N> int T<N>::v = made();\n__device__ int g() { return T<4>::v; }", 0),
    ],
)  # fmt: skip
def test_no_code_of_a_kernel_runs_when_it_is_loaded(declared, line, checked):
    code = MADE + declared + "\n" + source("x[i] = i;")
    if "T<N>" in declared:
        code = code.replace("x[i] = i;", "x[i] = g();")
    with pytest.raises(cp.CompileException) as caught:
        cp.RawKernel(code, "f").module.library(checked=checked)
    said = "dynamic initialization is not supported for a __device__ variable"
    assert caught.value.errors[0][::2] == (line, said)


def test_variables_with_constant_values_are_made_without_code():
    code = """struct P { int a; constexpr __device__ P(int q) : a(q) {} };
    __device__ P p(4); __constant__ float t[3] = {1, 2, 3}; __device__ int n = 3 * 4;
    """ + source("x[i] = n + p.a + t[2];")
    y = cp.zeros(1, np.float32)
    cp.RawKernel(code, "f")((1,), (1,), (y,))
    assert cp.asnumpy(y)[0] == 19


def test_options_that_are_no_options_of_a_kernel_are_refused():
    for option in ("-fplugin=./x.so", "-I/etc", "-include", "-DX=1\n-o/tmp/x"):
        with pytest.raises(cp.CudasimError, match=re.escape(repr(option))):
            cp.RawKernel(source(""), "f", options=(option,))
    kernel = cp.RawKernel(source("x[i] = N;"), "f", options=("-DN=7", "--use_fast_math"))
    x = cp.zeros(1, "f4")
    kernel((1,), (1,), (x,))
    assert x.get()[0] == 7
