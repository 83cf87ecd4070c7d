"""The engine as its users see it, on the packaged model."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine import Engine, EngineError, oracle_formats, oracle_models
from minengine.engine import Generation
from minengine.errors import RequestError
from minengine.sequence import Sequence

PLAY = (
    "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\n"
    "First Citizen:\nYou are all resolved rather to die than to famish?\n\nAll:\nResolved.\n\n"
)
PROMPTS = ("ROMEO:", "", "KING HENRY:\nWhat, ", "é😀 한국어 and more than one block of tokens, so")


@pytest.fixture(scope="module")
def engine():
    with Engine(n_threads=1, mode="exact") as e:
        yield e


def text(engine: Engine, prompt, **options) -> str:
    return "".join(engine.generate(prompt, **options))


@settings(deadline=None)
@given(st.text().filter(lambda s: "\u2581" not in s))
def test_any_text_comes_back_from_its_tokens(engine, s):
    assert engine.detokenize(engine.tokenize(s)) == s


def test_logits_are_the_oracles(engine):
    ids, file = engine.tokenize(PLAY)[:40], engine.model.file
    tensors = oracle_formats.weights(file.tensors)
    want = oracle_models.forward(engine.model.arch, file.metadata, tensors, np.array(ids))
    got = engine.logits(ids)
    assert (got.shape, got.dtype) == ((40, engine.model.hparams.V), np.float32)
    # float32 sums of up to 768 terms through 5 layers: 1e-7 was seen.
    assert np.sqrt(np.mean((got - want) ** 2)) / np.std(want) < 1e-6


def test_the_logits_are_the_same_bits_for_any_chunks_and_threads(engine):
    ids = engine.tokenize(PLAY)
    want = engine.logits(ids)
    for options in ({"n_threads": 2}, {"n_batch": 1}, {"n_batch": 7, "n_threads": 3}):
        with Engine(**{"n_threads": 1, "mode": "exact"} | options) as other:
            np.testing.assert_array_equal(other.logits(ids), want)


def test_the_size_of_blocks_changes_the_logits_by_rounding_alone(engine):
    ids = engine.tokenize(PLAY)
    want = engine.logits(ids)
    for size in (1, 5, 256):
        with Engine(n_threads=1, block_size=size, mode="exact") as other:
            # Attention adds up block by block, so other blocks are another order of float32 sums.
            np.testing.assert_allclose(other.logits(ids), want, rtol=0, atol=1e-6 * np.ptp(want))


def test_hidden_rows_are_what_the_head_reads(engine):
    ids, model = engine.tokenize(PLAY)[:30], engine.model
    ((_, hidden),) = engine.rows([ids], hidden=True)
    assert (hidden.shape, hidden.dtype) == ((30, model.hparams.D), np.float32)
    head = oracle_formats.weights(model.file.tensors)["token_embd.weight"]
    # one product in float32 against float64
    np.testing.assert_allclose(engine.logits(ids), hidden @ head.T, rtol=0, atol=1e-4)


def test_logits_of_a_prefix_are_a_prefix_of_the_logits(engine):
    ids = engine.tokenize(PLAY)
    np.testing.assert_array_equal(engine.logits(ids)[:9], engine.logits(ids[:9]))
    assert engine.logits([]).shape == (0, engine.model.hparams.V)


def test_greedy_text_follows_the_logits(engine):
    ids = engine.tokenize("ROMEO:")
    generation = engine.generate("ROMEO:", max_tokens=20, greedy=True)
    joined = "".join(generation)
    tokens = generation.sequence.tokens
    assert tokens[: len(ids)] == ids
    assert tokens[len(ids) :] == np.argmax(engine.logits(tokens[:-1]), 1)[len(ids) - 1 :].tolist()
    assert joined == engine.detokenize(tokens).removeprefix("ROMEO:")


def test_the_same_seed_gives_the_same_text_and_another_seed_another(engine):
    def written(seed):
        return text(engine, "ROMEO:", max_tokens=30, seed=seed)

    assert written(3) == written(3) != written(4)


def test_sequences_side_by_side_write_what_each_writes_alone(engine):
    options = [{"seed": n, "max_tokens": 12 + 5 * n, "temperature": 1.0} for n in range(4)]
    want = [text(engine, p, **o) for p, o in zip(PROMPTS, options, strict=True)]
    under_way = [engine.generate(p, **o) for p, o in zip(PROMPTS, options, strict=True)]
    got = [""] * len(under_way)
    alive = list(range(len(under_way)))
    while alive:
        for n in list(alive):
            piece = next(under_way[n], None)
            got[n] += piece or ""
            if piece is None:
                alive.remove(n)
    assert got == want


def test_sequences_that_push_each_other_out_still_write_the_same(engine):
    options = [{"seed": n, "max_tokens": 30, "temperature": 1.0} for n in range(4)]
    sequences = [engine.sequence(p, **o) for p, o in zip(PROMPTS, options, strict=True)]
    with Engine(n_threads=1, block_size=4) as roomy:
        want = [text(roomy, p, **o) for p, o in zip(PROMPTS, options, strict=True)]
    with Engine(n_threads=1, block_size=4, n_blocks=24, n_batch=16) as small:
        for s in sequences:
            small.scheduler.add(s)
        while small.step() or small.scheduler.running or small.scheduler.waiting:
            pass
        assert small.pool.n_free == small.pool.n_blocks
    assert sum(s.n_preempted for s in sequences) > 0
    assert [engine.detokenize(s.tokens[s.n_prompt :]) for s in sequences] == want


@pytest.mark.parametrize(("max_tokens", "reason"), [(5, "length"), (10_000, "context")])
def test_generation_stops_at_max_tokens_and_where_the_context_is_full(max_tokens, reason):
    with Engine(n_threads=1, context=40) as engine:
        generation = engine.generate("ROMEO:", max_tokens=max_tokens, seed=0)
        list(generation)
        s = generation.sequence
        assert s.reason == reason
        assert len(s.tokens) == min(s.n_prompt + max_tokens, 40)
        assert engine.pool.n_free == engine.pool.n_blocks


def test_generation_stops_at_an_end_token_and_does_not_print_it():
    with Engine(n_threads=1) as engine:
        long = engine.generate("ROMEO:", max_tokens=20, greedy=True)
        whole = list(long)
        tokens = long.sequence.tokens[long.sequence.n_prompt :]
        engine.tokenizer.ends = {tokens[7]}
        first = tokens.index(tokens[7])
        short = engine.generate("ROMEO:", max_tokens=20, greedy=True)
        assert "".join(whole).startswith("".join(short))
        assert short.sequence.tokens[short.sequence.n_prompt :] == tokens[:first]
        assert short.sequence.reason == "end"


def test_pieces_are_whole_characters(engine):
    # At a high temperature byte tokens come at random; each is held back until it is decided.
    pieces = list(
        engine.generate("", max_tokens=200, temperature=50.0, top_k=0, top_p=1, min_p=0, seed=2)
    )
    assert all(pieces)
    joined = "".join(pieces)
    assert "\ufffd" in joined
    generation = engine.generate(
        "", max_tokens=200, temperature=50.0, top_k=0, top_p=1, min_p=0, seed=2
    )
    list(generation)
    assert joined == engine.detokenize(generation.sequence.tokens)


def test_half_a_character_at_the_end_of_a_text_is_printed_as_a_replacement(engine):
    class Bytes:
        """Draws the bytes of half an emoji after a letter."""

        left: ClassVar = [*b"a", *"😀".encode()[:2]]

        def sample(self, logits):
            return engine.tokenizer.byte_ids[self.left.pop(0)]

    sequence = engine.sequence("ROMEO:", max_tokens=3)
    sequence.chain = Bytes()
    assert list(Generation(engine, sequence)) == ["a", "\ufffd"]


def test_a_closed_generation_gives_its_blocks_back(engine):
    generation = engine.generate("ROMEO:", max_tokens=50, seed=0)
    next(generation)
    assert engine.pool.n_used > 0
    generation.close()
    assert (engine.pool.n_used, generation.sequence.reason) == (0, "closed")
    assert list(generation) == []


def test_a_failed_pass_leaves_the_engine_usable(engine, monkeypatch):
    want = text(engine, "ROMEO:", max_tokens=10, seed=0)
    generation = engine.generate("ROMEO:", max_tokens=10, seed=0)
    got = next(generation)
    forward, calls = engine._forward, []

    def fail(*_, **__):
        calls.append(1)
        raise KeyboardInterrupt

    sequence = generation.sequence
    monkeypatch.setattr(engine, "_forward", fail)
    with pytest.raises(KeyboardInterrupt):
        engine.step()
    monkeypatch.setattr(engine, "_forward", forward)
    assert sequence.reason == ""
    assert calls
    assert got + "".join(generation) == want


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda e: e.logits([1024]), "token id 1024"),
        (lambda e: e.logits([-1]), "token id -1"),
        (lambda e: e.logits([0.5]), "want integers"),
        (lambda e: e.logits([1] * 513), "513 tokens: the context holds 512"),
        (lambda e: e.detokenize([5000]), "token id 5000"),
        (lambda e: e.generate("x", max_tokens=0), "max_tokens: got 0"),
        (lambda e: e.generate("x", top_k=1.5), "top_k"),
        (lambda e: e.generate("x", heat=1), "heat: no such sampler"),
        (lambda e: e.generate([]), "no tokens"),
        (lambda e: e.generate([1] * 512), "leaves no room"),
        (lambda _: Engine(context=513), "context: got 513"),
        (lambda _: Engine(n_threads=0), "n_threads: got 0"),
    ],
)
def test_a_request_that_cannot_be_served_is_refused_at_once_in_words(engine, call, words):
    with pytest.raises(RequestError, match=words):
        call(engine)


def test_a_full_cache_is_no_obstacle_to_a_text_that_is_read_whole():
    with Engine(n_threads=1, n_blocks=2, block_size=32) as engine:
        want = engine.logits([1] * 40)
        generation = engine.generate([1] * 40, max_tokens=5, seed=0)
        next(generation)
        assert engine.pool.n_free == 0
        assert np.array_equal(engine.logits([1] * 40), want)
        assert isinstance(generation.sequence, Sequence)
        list(generation)
        assert len(generation.sequence.tokens) == 45
        assert engine.pool.n_free == 2


def test_a_missing_or_foreign_file_is_said_with_its_path(tmp_path):
    foreign = tmp_path / "notes.txt"
    foreign.write_text("hello, hello")
    with pytest.raises(EngineError, match=r"notes\.txt: starts with b'hell'"):
        Engine(foreign)
    with pytest.raises(FileNotFoundError):
        Engine(tmp_path / "none.gguf")


def test_a_grammar_that_can_not_go_on_ends_its_own_sequence_alone(engine):
    other = engine.generate("ROMEO:", seed=1, max_tokens=8)
    want = "".join(engine.generate("ROMEO:", seed=1, max_tokens=8))
    engine.tokenizer.ends, ends = frozenset(), engine.tokenizer.ends
    try:
        stuck = engine.generate("ROMEO:", max_tokens=8, grammar='root ::= "a"')
        engine._vocabulary.ends, kept = frozenset(), engine._vocabulary.ends
        assert next(other)
        with pytest.raises(RequestError, match="grammar: the vocabulary lacks an end token"):
            list(stuck)
    finally:
        engine.tokenizer.ends, engine._vocabulary.ends = ends, kept
    assert stuck.sequence.reason == "failed"
    assert want.endswith("".join(other))
    assert engine.pool.n_used == 0
