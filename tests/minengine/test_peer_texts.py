"""Perplexity and embeddings against stored values of llama.cpp.

``tests/golden/README.md`` says how they were made and what to run when the packaged model changes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from minengine import Engine, random_model
from minengine.arch import ARCHITECTURES
from minengine.embeddings import POOLING
from minengine.perplexity import chunks, surprise
from minengine.random_model import VARIANTS

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
NATS = np.load(GOLDEN / "perplexity.npz")
VECTORS = np.load(GOLDEN / "embeddings.npz")
SENTENCES = VECTORS["sentences"].tolist()
SIZES = {"D": 256, "H": 4, "G": 2, "E": 64, "F": 512, "V": 320}


@pytest.fixture(scope="module")
def engine():
    with Engine(mode="exact") as e:
        yield e


def nrms(got, want):
    return np.sqrt(np.mean((got.astype(np.float64) - want) ** 2)) / np.std(want)


def test_perplexity_by_llamacpps_method_is_llamacpps(engine):
    text, (n_chunks, window) = str(NATS["text"]), NATS["ids"].shape
    assert np.array_equal(chunks(engine, text, window), NATS["ids"])
    found = engine.perplexity(text, method="llama.cpp", window=window)
    assert found.n_tokens == NATS["nats"].size == n_chunks * (window // 2 - 1)
    # its weights were written out as F32, so float32 sums in another order are what is left
    assert found.nats_per_token == pytest.approx(NATS["nats"].mean(), abs=1e-6)
    error = found.perplexity * NATS["nats"].std() / np.sqrt(NATS["nats"].size - 1)
    assert found.error == pytest.approx(error, rel=1e-5)


def test_every_token_is_as_surprising_as_to_llamacpp(engine):
    first = NATS["ids"].shape[1] // 2
    for chunk, want in zip(NATS["ids"].tolist(), NATS["nats"], strict=True):
        logits = engine.logits(chunk)[first:-1]
        assert np.abs(surprise(logits, chunk[first + 1 :]) - want).max() < 2e-5


@pytest.mark.parametrize("pooling", POOLING)
def test_embeddings_of_the_packaged_model_are_llamacpps(engine, pooling):
    got = engine.embed(SENTENCES, pooling=pooling, normalize=False)
    for i, vector in enumerate(got):
        assert nrms(vector, VECTORS[f"{pooling} {i} packaged"]) < 1e-5  # 3e-7 seen


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_embeddings_of_every_architecture_are_llamacpps(tmp_path, arch):
    row, path = VARIANTS[arch], tmp_path / "model.gguf"
    keys = {**row.keys, "context_length": 128}
    random_model.write(path, arch, keys=keys, seed=11, **{**SIZES, **row.options})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert digest == str(VECTORS[f"digest {arch}"]), "make the golden values again: README.md"
    with Engine(path, mode="exact") as random:
        got = random.embed(SENTENCES, normalize=False)
    # llama.cpp's GELU is a table of halves
    most = 1e-3 if ARCHITECTURES[arch].gate == "gelu" else 1e-5
    for i, vector in enumerate(got):
        assert nrms(vector, VECTORS[f"mean {i} {arch}"]) < most
