"""The selftest passes on a right engine and fails on a wrong one."""

from __future__ import annotations

import numpy as np
import pytest

from minengine import ops, selftest
from minengine.formats import FORMATS
from minengine.random_model import VARIANTS


@pytest.fixture(scope="module")
def results():
    return list(selftest.run())


def test_everything_passes_and_names_what_it_compared(results):
    assert all(r.passed for r in results), [r for r in results if not r.passed]
    assert len({r.name for r in results}) == len(results)


def test_every_format_and_the_model_are_checked(results):
    names = " ".join(r.name for r in results)
    for name in FORMATS:
        assert f"format {name} " in names
    for part in ("matmul", "rope", "attention", "model logits", "model bits", "model tokenizer"):
        assert part in names
    assert set(selftest.LOSSES) == set(FORMATS)


def test_every_variant_of_every_architecture_is_held_against_float64(results):
    errors = {r.name: r.error for r in results}
    for name in VARIANTS:
        assert 0 < errors[f"architecture {name}"] < selftest.FLOAT32


def test_a_wrong_kernel_fails_its_check(monkeypatch):
    class Wrong:
        def __getattr__(self, name):
            return getattr(ops, name)

        def rms_norm(self, x, weight, eps, out):
            ops.rms_norm(x, weight, eps * 1000, out)

    monkeypatch.setattr(selftest, "ops", Wrong())
    rng = np.random.default_rng(0)
    got, want = selftest.OPERATIONS["operation rms_norm"](rng)
    assert not selftest.compared("rms_norm", got, want, "").passed


def test_nan_never_passes():
    assert not selftest.compared("x", np.array([np.nan]), np.array([1.0]), "").passed
