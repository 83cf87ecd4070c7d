"""Every architecture and variant against stored logits of llama.cpp, and against itself.

``tests/golden/README.md`` says how the stored values were made.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from minengine import Engine, random_model
from minengine.arch import ARCHITECTURES
from minengine.random_model import VARIANTS

GOLDEN = np.load(Path(__file__).resolve().parent.parent / "golden" / "architectures.npz")
IDS = GOLDEN["ids"].tolist()
SIZES = {"D": 256, "H": 4, "G": 2, "E": 64, "F": 512, "V": 320}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request, tmp_path_factory):
    """Name and file of each variant."""
    name = request.param
    row, path = VARIANTS[name], tmp_path_factory.mktemp("variant") / "model.gguf"
    random_model.write(path, row.arch, keys=row.keys, seed=11, **{**SIZES, **row.options})
    return name, path


def nrms(got, want):
    return np.sqrt(np.mean((got.astype(np.float64) - want) ** 2)) / np.std(want)


def test_the_file_is_the_one_that_llamacpp_was_given(variant):
    name, path = variant
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == str(GOLDEN[f"digest {name}"]), "make the golden values again: golden/README.md"


def test_logits_are_llamacpps(variant):
    name, path = variant
    with Engine(path, 1, mode="exact") as engine:
        got = engine.logits(IDS)[GOLDEN["rows"]]
    # float32 sums in another order: 2e-7 to 1.3e-6 seen; llama.cpp's GELU is a table of halves
    most = 1e-3 if ARCHITECTURES[VARIANTS[name].arch].gate == "gelu" else 1e-5
    assert nrms(got, GOLDEN[f"logits {name}"]) < most


def test_no_cut_no_batch_and_no_number_of_threads_changes_a_bit(variant):
    _, path = variant
    with Engine(path, 1, mode="exact") as engine:
        whole = engine.logits(IDS)
        engine.scheduler.n_batch = 7
        assert np.array_equal(engine.logits(IDS), whole)
        engine.scheduler.n_batch, engine.n_threads = 1, 3
        assert np.array_equal(engine.logits(IDS[:20]), whole[:20])
