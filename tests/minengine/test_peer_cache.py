"""Operations on the cache against stored values of llama.cpp; ``tests/golden/README.md``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
KNOWN = np.load(ROOT / "tests" / "golden" / "cache.npz")


@pytest.fixture(scope="module")
def bench():
    """The bench that made the values: the same files and scripts."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        spec = importlib.util.spec_from_file_location(
            "peer_cache", ROOT / "bench" / "peer_cache.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(ROOT / "bench"))


def test_every_script_of_operations_gives_llama_cpps_logits(bench, tmp_path):
    n_held = 0
    for name in bench.random_model.VARIANTS:
        path, twin = bench.make(tmp_path, name, "F32")
        for label, steps in bench.SCRIPTS.items():
            if f"{name} {label}" in KNOWN:
                got, odd = bench.ours(path, steps)
                assert not odd
                assert bench.nrms(got[-1], KNOWN[f"{name} {label}"]) < bench.gate(name), name
                n_held += 1
        path.unlink()
        twin.unlink()
    assert n_held == len(KNOWN.files) - 2  # all but the seed and the version


def test_the_stored_values_cover_every_script():
    labels = {key.rsplit(" ", 1)[1] for key in KNOWN.files if " " in key}
    assert labels == {"shift", "ahead", "fork", "rewind", "holes", "middle"}
    assert all(np.isfinite(KNOWN[k]).all() for k in KNOWN.files if " " in k)
