"""embeddings: pooled rows of the last norm, the same whatever texts come together."""

from __future__ import annotations

import numpy as np
import pytest

from minengine import Engine, oracle_formats, oracle_models
from minengine.embeddings import POOLING
from minengine.errors import RequestError
from minengine.random_model import VARIANTS

TEXTS = ["ROMEO:", "But, soft! what light through yonder window breaks?", "x", "the sun " * 20, ""]


@pytest.fixture(scope="module")
def engine():
    with Engine(n_threads=1, mode="exact") as e:
        yield e


@pytest.fixture(scope="module")
def rows(engine):
    """Rows of each text by the oracle: what stands before the head."""
    model = engine.model
    weights = oracle_formats.weights(model.file.tensors)
    network = oracle_models.Network(model.arch, model.file.metadata, weights)
    return [network.hidden(np.array(engine.tokenize(text))) for text in TEXTS]


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ("mean", lambda r: r.mean(axis=0)),
        ("last", lambda r: r[-1]),
        ("cls", lambda r: r[0]),
    ],
)
def test_a_text_is_its_rows_of_the_last_norm_pooled(engine, rows, pooling, pool):
    want = np.array([pool(r) for r in rows])
    got = engine.embed(TEXTS, pooling=pooling, normalize=False)
    assert (got.shape, got.dtype) == ((5, engine.model.hparams.D), np.float32)
    # float32 sums through 5 layers, of rows whose numbers are of size 1
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-5)
    unit = engine.embed(TEXTS, pooling=pooling)
    np.testing.assert_allclose(
        unit, want / np.linalg.norm(want, axis=1, keepdims=True), rtol=0, atol=2e-6
    )


def test_without_pooling_every_token_has_its_row(engine, rows):
    got = engine.embed(TEXTS, pooling="none", normalize=False)
    assert [len(r) for r in got] == [len(engine.tokenize(t)) for t in TEXTS]
    for mine, want in zip(got, rows, strict=True):
        np.testing.assert_allclose(mine, want, rtol=0, atol=2e-5)
    for mine in engine.embed(TEXTS, pooling="none"):
        np.testing.assert_allclose(np.linalg.norm(mine, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLING)
def test_a_texts_vector_has_the_same_bits_whatever_comes_with_it(engine, pooling):
    together = engine.embed(TEXTS, pooling=pooling)
    for n_batch in (3, 40):
        with Engine(n_threads=2, n_batch=n_batch, mode="exact") as other:
            for text, vector in zip(TEXTS, together, strict=True):
                assert np.array_equal(other.embed([text], pooling=pooling)[0], vector)
            assert all(map(np.array_equal, other.embed(TEXTS, pooling=pooling), together))


@pytest.mark.parametrize("name", ["gemma3", "granite", "olmo2", "phi3"])
def test_caps_and_scales_of_the_logits_are_not_in_the_rows(write_model, name):
    row = VARIANTS[name]
    with Engine(
        write_model(row.arch, keys=row.keys, **{"V": 320} | row.options), mode="exact"
    ) as e:
        weights = oracle_formats.weights(e.model.file.tensors)
        network = oracle_models.Network(e.model.arch, e.model.file.metadata, weights)
        want = network.hidden(np.array(e.tokenize("abc")))
        (got,) = e.embed(["abc"], pooling="none", normalize=False)
    assert np.abs(got - want).max() < 1e-5 * np.abs(want).max()


def test_no_texts_have_no_vectors_and_zeros_stay_zeros(engine, write_model):
    assert engine.embed([]).shape == (0, 256)

    def change(_, tensors):
        tensors["output_norm.weight"][2][:] = 0

    with Engine(write_model(V=320, change=change)) as silent:
        assert not silent.embed(["abc"]).any()


@pytest.mark.parametrize(
    ("texts", "options", "words"),
    [
        (["x"], {"pooling": "max"}, "pooling: got 'max', want mean, last, cls, none"),
        ("x", {}, "texts: got one text, want a list of them"),
        (["x", "y" * 2000], {}, "2001 tokens: the context holds 512"),
    ],
)
def test_what_has_no_vector_is_refused_in_words(engine, texts, options, words):
    with pytest.raises(RequestError, match=words):
        engine.embed(texts, **options)


def test_a_text_without_tokens_is_refused_by_its_place(engine, monkeypatch):
    monkeypatch.setattr(engine.tokenizer, "add_bos", False)
    with pytest.raises(RequestError, match="text 1 has no tokens"):
        engine.embed(["x", ""])
