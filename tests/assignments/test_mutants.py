"""Mechanical mutants of the references: what survives the checks means the same, with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from autograder import catalog

ROOT = Path(__file__).resolve().parents[2]
COURSE = catalog.find_course(ROOT)
PROVED = [a for a in COURSE.assignments() if (ROOT / "solutions" / a / "survivors.yaml").exists()]
EVERY = {  # where a survivor takes seconds, these many apart
    "04_gpu_kernels": 24,
    "05_mini_engine": 10,
}
LIMIT_S = 100.0  # of processor time; none of those here is endless
KILLED = {
    "01_transformer_layer": "causal_mask",
    "02_kv_cache": "rewind",
    "03_sampling": "top_p",
    "04_gpu_kernels": "scale_add",
}


@pytest.fixture(scope="module")
def mutants():
    """The script; it would run each reference first to know what a mutant may take."""
    module = catalog._import(ROOT / "bench" / "mutants.py")
    module.limit_s = lambda name: LIMIT_S
    return module


@pytest.mark.parametrize("name", PROVED)
def test_a_mutant_that_is_said_to_be_equivalent_is_one(mutants, name):
    assignment = COURSE.assignment(name)
    reasons = yaml.safe_load((ROOT / "solutions" / name / "survivors.yaml").read_text())
    every = {
        m.key: m
        for hole, s in assignment.reference.sources.items()
        for m in mutants.mutants(hole, s)
    }
    assert set(reasons) <= set(every)
    assert all(len(reason) > 20 for reason in reasons.values())
    for key in list(reasons)[:: EVERY.get(name, 1)]:
        assert mutants.judge((name, every[key])).tag == "", key


@pytest.mark.parametrize("name", KILLED)
def test_a_mutant_that_changes_the_meaning_is_killed(mutants, name):
    source = COURSE.assignment(name).reference.sources[KILLED[name]]
    reasons = yaml.safe_load((ROOT / "solutions" / name / "survivors.yaml").read_text())
    for mutant in mutants.mutants(KILLED[name], source):
        if mutant.key not in reasons:
            assert mutants.judge((name, mutant)).tag, mutant.key


def test_the_changes_of_a_function_are_those_of_the_table(mutants):
    found = {m.key for m in mutants.mutants("f", "def f(a):\n    'text'\n    return a < 2 and a\n")}
    assert found == {
        "f: - return a < 2 and a | + return a <= 2 and a",
        "f: - return a < 2 and a | + return a >= 2 and a",
        "f: - return a < 2 and a | + return a < 3 and a",
        "f: - return a < 2 and a | + return a < 1 and a",
        "f: - return a < 2 and a | + return a < 2 or a",
        "f: - return a < 2 and a | + return None",
    }


KERNEL = """
#include <cuda_fp16.h>
// a < b
extern "C" __global__ void f(const float* x, int n) {
    if (threadIdx.x < n)
        x[0] = 2;
    __syncthreads();
}
"""


def test_the_changes_of_a_kernel_are_those_of_its_tokens(mutants):
    source = f"K = {KERNEL!r}\n\n\ndef f(n):\n    return K"
    found = [m.key for m in mutants.mutants("f", source) if "K" not in m.key]
    guard, store = "f: - if (threadIdx.x < n) | + if ", "f: - x[0] = 2; | + "
    assert sorted(found) == sorted(
        [
            *(
                f"{guard}(threadIdx.y < n)",
                f"{guard}(blockIdx.x < n)",
                f"{guard}(threadIdx.x <= n)",
            ),
            *(f"{guard}(threadIdx.x >= n)", f"{guard}(true)", f"{guard}(false)"),
            *(f"{store}x[1] = 2;", f"{store}x[-1] = 2;", f"{store}x[0] = 3;", f"{store}x[0] = 1;"),
            *(f"{store};", "f: - __syncthreads(); | + ;"),
        ]
    )


def test_a_sign_that_is_no_operation_is_left_alone(mutants):
    text = "__global__ void f(float* x) { float v = *(const float*)x; y[0] = (float)v * 2.5f; }"
    changed = {new for kind, new in mutants.kernel_mutants.changes(text) if kind == "operation"}
    assert changed == {text.replace("v * 2", "v + 2"), text.replace("v * 2", "v / 2")}
