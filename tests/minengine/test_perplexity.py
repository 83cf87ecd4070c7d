"""perplexity: which tokens are scored in which context, and the numbers made of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minengine import Engine, oracle
from minengine.errors import ModelError, RequestError
from minengine.perplexity import Perplexity, chunks, surprise

PLAY = (
    "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n"
    "First Citizen:\nYou are all resolved rather to die than to famish?\n\nAll:\nResolved.\n\n"
)


@pytest.fixture(scope="module")
def engine():
    with Engine(n_threads=1, mode="exact") as e:
        yield e


def test_perplexity_scores_each_token_once_in_windows_that_begin_with_bos(engine):
    ids = engine.tokenize(PLAY * 2, add_special=False)
    window, stride = 24, 8
    found = engine.perplexity(PLAY * 2, window=window, stride=stride)
    nats, scored = 0.0, 0
    while scored < len(ids):
        # The window ends `stride` tokens further than what is scored, and never before it is full.
        end = min(max(scored + stride, window), len(ids))
        part = [1, *ids[max(0, end - window) : end]]
        p = oracle.softmax(engine.logits(part[:-1]))
        nats -= sum(
            np.log(p[i, part[i + 1]]) for i in range(len(part) - 1 - end + scored, len(part) - 1)
        )
        scored = end
    assert found.n_tokens == len(ids)
    assert found.n_characters == 2 * len(PLAY)
    assert found.nats == pytest.approx(nats, rel=1e-6)
    assert found.nats_per_token == pytest.approx(nats / len(ids), rel=1e-6)
    assert found.nats_per_character == pytest.approx(nats / (2 * len(PLAY)), rel=1e-6)
    assert found.perplexity == pytest.approx(np.exp(nats / len(ids)), rel=1e-6)


def test_perplexity_of_a_text_within_one_window_is_the_plain_sum(engine):
    ids = engine.tokenize(PLAY)
    plain = surprise(engine.logits(ids[:-1]), np.array(ids[1:])).sum()
    seen = []
    found = engine.perplexity(PLAY, progress=lambda *so_far: seen.append(so_far))
    assert found.nats == pytest.approx(plain, rel=1e-9)
    assert seen == [(len(ids) - 1, len(ids) - 1, found.perplexity)]


def test_surprise_is_minus_log_softmax():
    x = np.random.default_rng(0).standard_normal((4, 9)).astype(np.float32) * 50
    want = -np.log(oracle.softmax(x)[np.arange(4), [0, 3, 8, 8]])
    np.testing.assert_allclose(surprise(x, np.array([0, 3, 8, 8])), want, rtol=1e-12)


def test_chunks_are_the_text_once_with_bos_at_the_head_of_each(engine):
    ids = engine.tokenize(PLAY * 3)
    found = chunks(engine, PLAY * 3, 20)
    assert found.shape == (len(ids) // 20, 20)
    assert (found[:, 0] == engine.tokenizer.bos).all()
    want = np.array(ids[: found.size]).reshape(found.shape)
    assert np.array_equal(found[:, 1:], want[:, 1:])


def test_a_model_that_adds_no_bos_has_plain_chunks(engine, monkeypatch):
    monkeypatch.setattr(engine.tokenizer, "add_bos", False)
    found = chunks(engine, PLAY * 3, 20)
    assert found.ravel().tolist() == engine.tokenize(PLAY * 3)[: found.size]


@pytest.mark.parametrize("window", [3, 16, 31])
def test_llamacpps_method_scores_the_second_half_of_each_chunk(engine, window):
    seen = []
    found = engine.perplexity(
        PLAY * 3, method="llama.cpp", window=window, progress=lambda *so_far: seen.append(so_far)
    )
    nats, pieces = [], []
    for chunk in chunks(engine, PLAY * 3, window).tolist():
        p = oracle.softmax(engine.logits(chunk))
        places = range(window // 2, window - 1)
        nats += [-np.log(p[i, chunk[i + 1]]) for i in places]
        pieces.append(b"".join(engine.tokenizer.texts[chunk[i + 1]] for i in places))
    assert (found.method, found.window) == ("llama.cpp", window)
    assert found.stride == window - 1 - window // 2
    assert found.n_tokens == len(nats)
    assert found.n_characters == sum(len(piece.decode()) for piece in pieces)
    assert found.nats == pytest.approx(sum(nats), rel=1e-6)
    assert found.perplexity == pytest.approx(np.exp(np.mean(nats)), rel=1e-6)
    deviation = np.std(nats) / np.sqrt(len(nats) - 1)
    assert found.error == pytest.approx(found.perplexity * deviation, rel=1e-6)
    assert len(seen) == len(nats) // found.stride
    assert seen[-1] == (found.n_tokens, found.n_tokens, found.perplexity)


@given(st.lists(st.floats(0, 20), min_size=2, max_size=50))
def test_the_error_is_that_of_a_mean_carried_through_exp(nats):
    x = np.array(nats)
    found = Perplexity("stride", x.sum(), np.square(x).sum(), len(x), 1, 8, 4)
    want = np.exp(x.mean()) * x.std() / np.sqrt(len(x) - 1)
    # a difference of sums of squares loses what is below 1e-7 of their size
    assert found.error == pytest.approx(want, rel=1e-5, abs=1e-6 * np.exp(x.mean()) * x.max())


def test_one_token_has_no_error():
    assert Perplexity("stride", 3.0, 9.0, 1, 1, 8, 4).error is None


def test_the_methods_agree_where_both_score_the_same_tokens_in_the_same_context(engine):
    text = PLAY * 3
    two = engine.perplexity(text, method="llama.cpp", window=40)
    ids = engine.tokenize(text)
    by_hand = 0.0
    for i in range(0, len(ids) - 39, 40):
        alone = [engine.tokenizer.bos, *ids[i + 1 : i + 40]]
        by_hand += surprise(engine.logits(alone[:-1]), alone[1:])[20:].sum()
    assert two.nats == pytest.approx(by_hand, rel=1e-12)


def test_logits_that_are_no_numbers_have_no_perplexity(write_model):
    def change(_, tensors):
        tensors["blk.0.ffn_up.weight"][2][:] = 0xFF

    with (
        Engine(write_model(V=320, change=change)) as broken,
        pytest.raises(ModelError, match="NaN or infinite"),
    ):
        broken.perplexity("abc")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"text": ""}, "the text has no tokens"),
        ({"window": 513}, "window: got 513, want 1 to the context of 512"),
        ({"window": 8, "stride": 9}, "stride: got 9, want 1 to the window of 8"),
        ({"method": "llamacpp"}, "method: got 'llamacpp', want stride or llama.cpp"),
        ({"method": "llama.cpp", "window": 2}, "window: got 2, want 3 to the context of 512"),
        ({"method": "llama.cpp"}, "the text has 2 tokens: chunks of 512 want at least 1024"),
        ({"method": "llama.cpp", "stride": 4}, "stride: got 4, but chunks do not overlap"),
    ],
)
def test_what_cannot_be_measured_is_refused_in_words(engine, options, words):
    with pytest.raises(RequestError, match=words):
        engine.perplexity(**{"text": "x"} | options)
