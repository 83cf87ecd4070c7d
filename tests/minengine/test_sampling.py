"""The samplers: each row against the oracle and by property, the chain and its draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minengine import oracle
from minengine.errors import ModelError, RequestError
from minengine.sampling import SAMPLERS, Chain, draw

ROWS = {row.name: row for row in SAMPLERS}
# Few distinct values, so that ties are common.
LOGITS = hnp.arrays(
    np.float32,
    st.integers(1, 40),
    elements=st.one_of(st.integers(-3, 3).map(float), st.floats(-30, 30, width=32)),
)
VALUES = {
    "greedy": st.booleans(),
    "top_k": st.integers(-1, 50),
    "top_p": st.floats(0, 1.2),
    "temperature": st.one_of(st.just(0.0), st.floats(0.01, 5)),
}
MEANING = {
    "greedy": lambda x, on: oracle.temperature(x, 0.0) if on else x,
    "top_k": oracle.top_k,
    "top_p": oracle.top_p,
    "temperature": oracle.temperature,
}
OPTIONS = st.fixed_dictionaries({}, optional=VALUES)


def alive(x: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.isfinite(x))


def test_every_row_has_values_and_a_meaning_to_be_tested_with():
    assert set(ROWS) == set(VALUES) == set(MEANING)


@pytest.mark.parametrize("name", ROWS)
@given(data=st.data(), x=LOGITS)
def test_a_row_keeps_and_weighs_the_tokens_that_the_oracle_does(name, data, x):
    value, x = data.draw(VALUES[name]), x.astype(np.float64)
    got, want = ROWS[name].apply(x, value), MEANING[name](x, value)
    assert alive(got).tolist() == alive(want).tolist()
    # A constant added to all logits is no difference: what counts is the distribution.
    np.testing.assert_allclose(oracle.softmax(got), oracle.softmax(want), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ROWS)
@given(data=st.data(), x=LOGITS)
def test_a_row_keeps_the_likeliest_token_and_the_callers_array(name, data, x):
    x = x.astype(np.float64)
    before = x.copy()
    got = ROWS[name].apply(x, data.draw(VALUES[name]))
    assert np.isfinite(got[np.argmax(x)])
    assert got.shape == x.shape
    np.testing.assert_array_equal(x, before)


@given(LOGITS, OPTIONS, st.integers(0, 2**32))
def test_a_drawn_token_is_a_candidate_and_the_logits_stay_as_they_were(x, options, seed):
    before, chain = x.copy(), Chain(seed=seed, **options)
    token = chain.sample(x)
    assert token in alive(chain.candidates(x))
    np.testing.assert_array_equal(x, before)


@given(LOGITS, st.integers(0, 50), st.floats(0, 1))
def test_top_k_and_top_p_cut_the_tail_alone(x, k, p):
    kept = alive(Chain(top_k=k, top_p=p, seed=0).candidates(x))
    dropped = np.setdiff1d(np.arange(x.size), kept)
    assert kept.size <= (k or x.size)
    assert not dropped.size or x[kept].min() >= x[dropped].max()


@given(LOGITS, st.floats(0, 1, exclude_max=True))
def test_draw_inverts_the_cumulative_distribution(x, u):
    assert draw(x.astype(np.float64), u) == oracle.draw(x, u)


def test_the_first_of_equal_logits_wins_in_greedy_and_at_the_edge_of_top_k():
    x = np.array([1.0, 5.0, 5.0, 5.0], np.float32)
    assert Chain(greedy=True).sample(x) == Chain(temperature=0).sample(x) == 1
    assert alive(Chain(top_k=2, top_p=1).candidates(x)).tolist() == [1, 2]


def test_top_p_keeps_the_token_that_crosses_the_line():
    x = np.log([0.5, 0.3, 0.15, 0.05])
    kept = {p: alive(Chain(top_k=0, top_p=p).candidates(x)).size for p in (0.0, 0.4, 0.6, 0.9, 1)}
    assert kept == {0.0: 1, 0.4: 1, 0.6: 2, 0.9: 3, 1: 4}


def test_top_p_looks_at_the_distribution_before_temperature_bends_it():
    x = np.log([0.5, 0.3, 0.15, 0.05])
    hot = Chain(top_k=0, top_p=0.6, temperature=100.0)
    assert alive(hot.candidates(x)).size == 2


def test_the_same_seed_gives_the_same_tokens_and_another_seed_others():
    x = np.zeros(1000, np.float32)

    def tokens(seed):
        chain = Chain(seed=seed, top_k=0, top_p=1)
        return [chain.sample(x) for _ in range(20)]

    assert tokens(7) == tokens(7) != tokens(8)


def test_every_token_uses_one_random_number_greedy_or_not():
    flat, peak = np.zeros(1000), np.eye(1000)[3] * 50
    plain, mixed = (Chain(seed=5, top_k=0, top_p=1) for _ in range(2))
    second = [plain.sample(flat) for _ in range(2)][1]
    assert mixed.sample(peak) == 3
    assert mixed.sample(flat) == second
    greedy = Chain(seed=5, greedy=True)
    greedy.sample(flat)
    assert greedy._rng.random() == np.random.default_rng(5).random(2)[1]


def test_draws_follow_the_distribution():
    p = np.array([0.5, 0.25, 0.125, 0.125])
    chain = Chain(seed=1, top_k=0, top_p=1, temperature=1)
    n = 4000
    counts = np.bincount([chain.sample(np.log(p)) for _ in range(n)], minlength=4)
    # Five standard deviations of a binomial; the seed is fixed, so this can't flicker.
    assert (np.abs(counts - n * p) < 5 * np.sqrt(n * p * (1 - p))).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_no_numbers_are_an_error_that_names_the_token(bad):
    x = np.array([0, bad, 1], np.float32)
    with pytest.raises(ModelError, match=f"{bad} for token 1"):
        Chain().sample(x)


def test_logits_without_a_finite_one_and_of_the_wrong_shape_are_errors():
    for x in (np.full(3, -np.inf), np.zeros((2, 3)), np.zeros(0)):
        with pytest.raises(ModelError, match="no token can be drawn"):
            Chain().sample(x)


@given(LOGITS.filter(lambda x: x.size > 1), OPTIONS)
def test_a_token_ruled_out_before_is_never_drawn(x, options):
    x[0] = -np.inf
    assert 0 not in alive(Chain(**options).candidates(x))


def test_extreme_but_finite_logits_do_not_overflow():
    x = np.array([3e38, -3e38, 3e38], np.float32)
    assert Chain(temperature=1e-30, seed=0).sample(x) in (0, 2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"temperature": -1}, "temperature: got -1, want at least 0"),
        ({"temperature": float("nan")}, "temperature: got nan, want a number"),
        ({"temperature": "hot"}, "temperature: got 'hot', want a number"),
        ({"top_p": -0.1}, "top_p"),
        ({"top_k": 2.5}, "top_k: got 2.5, want a whole number"),
        ({"greedy": 2}, "greedy: got 2, want true or false"),
        ({"min_p": 0.1}, "min_p: no such sampler; there are greedy, top_k"),
        ({"seed": -1}, "seed: got -1"),
        ({"seed": 0.5}, "seed: got 0.5"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_words(options, words):
    with pytest.raises(RequestError, match=words):
        Chain(**options)
