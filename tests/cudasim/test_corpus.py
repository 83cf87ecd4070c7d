"""Every fault of the corpus is found with its kind and line, and nothing in a clean kernel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

import cudasim as cp
from tests.cudasim import corpus

FAULTY, CLEAN = list(corpus.cases("faulty")), list(corpus.cases("clean"))


@cache
def module(path: Path) -> cp.RawModule:
    return cp.RawModule(code=path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", FAULTY, ids=str)
def test_a_fault_is_found_with_its_kind_and_line(case):
    grid, block, shared = case.sizes
    kernel = module(case.path).get_function(case.name)
    report = cp.check(kernel, grid, block, case.arguments(), shared_mem=shared, profile=False)
    shown = "\n".join(f"{f.kind} {f.line} {f.other_line} {f.message}" for f in report.findings)
    found = {(f.kind, f.line) for f in report.findings}
    everywhere = found | {(f.kind, f.other_line) for f in report.findings}
    assert found <= case.finds, shown
    assert case.finds <= everywhere, shown or "nothing found"


@pytest.mark.parametrize("case", CLEAN, ids=str)
def test_nothing_is_found_in_a_clean_kernel_and_it_computes_the_same(case):
    grid, block, shared = case.sizes
    kernel = module(case.path).get_function(case.name)
    watched, fast = case.arguments(), case.arguments()
    report = cp.check(kernel, grid, block, watched, shared_mem=shared)
    assert report.clean, str(report)
    kernel(grid, block, fast, shared_mem=shared)
    for a, b in zip(watched, fast, strict=True):
        if isinstance(a, cp.ndarray):
            # sums may be contracted to fused multiply-adds in one build and not in the other
            np.testing.assert_allclose(numbers(a), numbers(b), rtol=2e-6, equal_nan=True)


def numbers(array: cp.ndarray) -> np.ndarray:
    return array.get().view(np.int32) if array.dtype.names else array.get()


def test_the_corpus_is_large_enough():
    assert len(FAULTY) >= 40
    assert len(CLEAN) >= 40
