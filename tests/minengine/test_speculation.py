"""speculation: guesses change how fast a text comes, never the text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minengine import Engine
from minengine.errors import RequestError
from minengine.speculation import DraftModel, PromptLookup

RHYME = "The king is dead. Long live the king! The king is dead. Long live"


@pytest.fixture(scope="module")
def engine():
    with Engine(n_threads=1) as e:
        yield e


class Guess:
    """Guesses what it was told, whatever the text is."""

    def __init__(self, whole, wrong=()):
        self.whole, self.wrong = whole, set(wrong)

    def propose(self, tokens):
        n = len(tokens)
        guess = self.whole[n : n + 5]
        return [t + 1 if n + i in self.wrong else t for i, t in enumerate(guess)]


def run(engine, **options):
    sequence = engine.sequence(RHYME, max_tokens=40, **options)
    engine.scheduler.add(sequence)
    n_passes = 0
    while not sequence.reason:
        engine.step()
        n_passes += 1
    assert engine.pool.n_used == 0
    return sequence, n_passes


SAMPLING = (
    {"greedy": True, "seed": 1}, {"seed": 3},
    {"seed": 5, "temperature": 1.5, "repeat_penalty": 1.3},
    {"seed": 6, "mirostat": 2}, {"seed": 7, "xtc_probability": 0.5},
)  # fmt: skip


@pytest.mark.parametrize("options", SAMPLING, ids=str)
def test_any_guesses_leave_the_text_as_it_is(engine, options):
    plain, n_passes = run(engine, **options)
    for drafter in (
        PromptLookup(), PromptLookup(3, longest=1, shortest=1), Guess(plain.tokens),
        Guess(plain.tokens, range(0, 200, 3)), Guess([7] * 200), Guess([]),
    ):  # fmt: skip
        guessed, fewer = run(engine, drafter=drafter, **options)
        assert guessed.tokens == plain.tokens
        assert guessed.reason == plain.reason
        assert guessed.chain.state() == plain.chain.state()
        # every guess that was right saved a pass
        assert fewer == n_passes - guessed.n_accepted


def test_a_draft_model_that_is_the_model_itself_is_always_right(engine):
    plain, n_passes = run(engine, greedy=True)
    with Engine(n_threads=1) as small:
        guessed, fewer = run(engine, drafter=DraftModel(small, 4), greedy=True)
    assert guessed.tokens == plain.tokens
    # all but those that were cut off at the end of the text
    assert guessed.n_accepted == guessed.n_drafted
    assert fewer <= n_passes // 5 + 2


def test_a_draft_model_that_is_another_one_changes_nothing(engine, write_model):
    h = engine.model.hparams
    path = write_model(D=32, V=h.V, keys={"context_length": 512})
    plain, _ = run(engine, seed=4)
    with Engine(path, n_threads=1, block_size=3, n_batch=5) as small:
        drafter = DraftModel(small, 3)
        assert run(engine, drafter=drafter, seed=4)[0].tokens == plain.tokens
        assert run(engine, drafter=drafter, seed=4)[0].tokens == plain.tokens  # and once more
        sure = run(engine, drafter=DraftModel(small, 3, least=1.0), seed=4)[0]
        assert (sure.tokens, sure.n_drafted) == (plain.tokens, 0)


def test_a_draft_stops_where_the_text_must(engine):
    plain, _ = run(engine, greedy=True)
    for n in range(1, 8):
        for end in (None, plain.tokens[plain.n_prompt + n]):
            engine.tokenizer.ends, ends = {end} - {None}, engine.tokenizer.ends
            try:
                want, got = (
                    engine.sequence(RHYME, max_tokens=n, greedy=True, drafter=d)
                    for d in (None, Guess(plain.tokens))
                )
                for s in (want, got):
                    engine.scheduler.add(s)
                    while not s.reason:
                        engine.step()
            finally:
                engine.tokenizer.ends = ends
            assert (got.tokens, got.reason) == (want.tokens, want.reason)


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 40), st.integers(18, 40), st.lists(st.integers(0, 99), max_size=30))
def test_guessing_sequences_share_batches_and_a_small_pool(engine, n_batch, n_blocks, wrong):
    wants = [run(engine, seed=n)[0].tokens for n in range(3)]
    with Engine(n_threads=1, n_batch=n_batch, n_blocks=n_blocks, block_size=5) as small:
        sequences = [
            small.sequence(RHYME, max_tokens=40, seed=n, drafter=Guess(want, wrong))
            for n, want in enumerate(wants)
        ]
        for s in sequences:
            small.scheduler.add(s)
        while not all(s.reason for s in sequences):
            small.step()
        assert [s.tokens for s in sequences] == wants


@pytest.mark.parametrize("name", ["window", "sinks", "h2o"])
def test_guesses_and_forgetting_go_together(engine, name):
    options = {"token_eviction": name, "n_cells": 32, "greedy": True}
    plain, n_passes = run(engine, **options)
    guessed, fewer = run(engine, drafter=Guess(plain.tokens), **options)
    assert guessed.tokens == plain.tokens
    # H2O counts what each token looked at, guesses would be counted too: it takes none
    assert (fewer < n_passes) == (name != "h2o")


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 6))
def test_prompt_lookup_gives_what_followed_the_longest_known_suffix(tokens, n_draft):
    got = PromptLookup(n_draft, longest=3, shortest=1).propose(tokens)
    want = []
    for n in (1, 2, 3):  # the plainest search: every place, longer suffixes and later places win
        for at in range(len(tokens) - n):
            if n < len(tokens) and tokens[at : at + n] == tokens[-n:]:
                want = tokens[at + n : at + n + n_draft]
    assert got == want


def test_impossible_drafters_are_refused(engine):
    with pytest.raises(RequestError, match="0 tokens after 2 to 4"):
        PromptLookup(0)
    with pytest.raises(RequestError, match="3 to 2"):
        PromptLookup(longest=2, shortest=3)
    with pytest.raises(RequestError, match="draft: 0 tokens"):
        DraftModel(engine, 0)


def test_a_draft_costs_no_other_sequence_its_blocks(engine):
    with Engine(n_threads=1, block_size=4, n_blocks=20, share_prefixes=False) as small:
        want = run(engine, greedy=True)[0].tokens
        first, second = (small.sequence(RHYME, max_tokens=8, greedy=True) for _ in range(2))
        first.drafter = Guess(want)
        for s in (first, second):
            small.scheduler.add(s)
        while not (first.reason and second.reason):
            small.step()
        assert np.all([s.n_preempted == 0 for s in (first, second)])
        assert first.tokens == second.tokens == want[: len(first.tokens)]
