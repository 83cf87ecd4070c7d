"""The samplers: each row against the oracle and by property, the chain and its draw."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minengine import Engine, oracle
from minengine.candidates import Candidates, greedy, xtc
from minengine.draws import Adaptive, Mirostat, draw
from minengine.errors import ModelError, RequestError
from minengine.penalties import breakers_of, suffix_lengths
from minengine.sampling import PARAMETERS, SAMPLERS, Chain

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "samplers.json"
KNOWN = json.loads(GOLDEN.read_text(encoding="utf-8"))
ROWS = {row.name: row for row in SAMPLERS}
# Few distinct values, so that ties are common.
LOGITS = hnp.arrays(
    np.float32,
    st.integers(1, 40),
    elements=st.one_of(st.integers(-3, 3).map(float), st.floats(-30, 30, width=32)),
)
VALUES = {
    "penalty_last_n": st.integers(0, 20),
    "repeat_penalty": st.floats(0.5, 3),
    "frequency_penalty": st.floats(-1, 1),
    "presence_penalty": st.floats(-1, 1),
    "dry_multiplier": st.floats(0, 3),
    "dry_base": st.floats(0.5, 4),
    "dry_allowed_length": st.integers(0, 4),
    "dry_last_n": st.integers(0, 30),
    "top_n_sigma": st.floats(-1, 4),
    "top_k": st.integers(-1, 50),
    "typical_p": st.floats(0, 1.2),
    "top_p": st.floats(0, 1.2),
    "min_p": st.floats(0, 1.2),
    "xtc_probability": st.floats(0, 1),
    "xtc_threshold": st.floats(0, 0.7),
    "temperature": st.one_of(st.just(0.0), st.floats(0.01, 5)),
    "dynatemp_range": st.floats(0, 2),
    "dynatemp_exponent": st.floats(0.1, 3),
    "greedy": st.booleans(),
    "mirostat": st.integers(0, 2),
    "mirostat_tau": st.floats(0, 10),
    "mirostat_eta": st.floats(0, 1),
    "adaptive_target": st.one_of(st.just(-1.0), st.floats(0, 1)),
    "adaptive_decay": st.floats(0, 1),
}
OFF = {
    "penalties": {"repeat_penalty": 1, "frequency_penalty": 0, "presence_penalty": 0},
    "dry": {"dry_multiplier": 0},
    "top_n_sigma": {"top_n_sigma": -1},
    "top_k": {"top_k": 0},
    "typical_p": {"typical_p": 1},
    "top_p": {"top_p": 1},
    "min_p": {"min_p": 0},
    "xtc": {"xtc_probability": 0},
    "temperature": {"temperature": 1, "dynatemp_range": 0},
}
# what a filter means in float64, see oracle.py
MEANING = {"top_k": oracle.top_k, "top_p": oracle.top_p, "temperature": oracle.temperature}
OPTIONS = st.fixed_dictionaries({}, optional=VALUES)


def all_of(x: np.ndarray) -> Candidates:
    return Candidates(np.arange(len(x), dtype=np.int32), x.astype(np.float32))


def alive(c: Candidates) -> np.ndarray:
    """Ids that can be drawn."""
    return np.sort(c.ids[np.isfinite(c.logits)])


def apply(name: str, x: np.ndarray, history=(), **options) -> Candidates:
    chain = Chain(seed=0, **options)
    chain.history = list(history)
    row = ROWS[name]
    return row.apply(all_of(x), chain, *(chain.values[p.name] for p in row.parameters))


def test_every_parameter_has_values_and_every_row_an_off_to_be_tested_with():
    assert set(PARAMETERS) == set(VALUES)
    assert set(ROWS) == set(OFF)
    names = [p.name for row in SAMPLERS for p in row.parameters]
    assert len(set(names)) == len(names)


def of_group(*names: str) -> list[dict]:
    return [c for c in KNOWN["cases"] if c["group"] in names]


@pytest.mark.parametrize("known", of_group(*ROWS, "chain", "logit_bias", "xtc by chance"))
def test_what_is_left_is_what_llamacpp_leaves(known):
    c, chain = all_of(np.array(known["logits"])), Chain(seed=0)
    chain.history, chain._chances = known["history"], (0.0, known.get("u", 0.5))
    for name, *values in known["steps"]:
        if name == "logit_bias":
            c = Chain(logit_bias=dict(values[0]), samplers=()).candidates(c.logits)
        else:
            n = len(ROWS[name].parameters)  # what is more is the seed that u comes from
            c = ROWS[name].apply(c, chain, *values[:n])
    assert alive(c).tolist() == known["ids"]
    x = c.logits[np.argsort(c.ids)]
    # float32 logits by the same operations; logarithm and power may differ by a rounding
    np.testing.assert_allclose(oracle.softmax(x[np.isfinite(x)]), known["p"], rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("known", of_group("greedy", "dist"))
def test_the_token_that_llamacpp_draws_is_drawn(known):
    c = all_of(np.array(known["logits"]))
    got = np.argmax(greedy(c).logits) if known["group"] == "greedy" else draw(c, known["u"])
    assert got == known["drawn"]


def test_dry_hits_what_llamacpp_hits_with_breakers_made_from_texts():
    with Engine() as engine:
        for known in of_group("dry breakers"):
            [[name, *values, texts]] = known["steps"]
            chain = Chain(seed=0, breakers=engine.breakers(texts))
            chain.history = known["history"]
            c = ROWS[name].apply(all_of(np.zeros(known["n"])), chain, *values)
            hit = {str(i): p for i, p in enumerate(oracle.softmax(c.logits)) if c.logits[i]}
            assert hit.keys() == known["hit"].keys()
            # llama.cpp's power is a float's, ours is rounded once: a few of the last bits
            np.testing.assert_allclose([*hit.values()], [*known["hit"].values()], rtol=2e-5)


@pytest.mark.parametrize("known", KNOWN["runs"])
def test_what_mirostat_and_adaptive_p_draw_and_remember_over_a_run_is_llamacpps(known):
    name, states = known["name"], []
    end = Adaptive(*known["values"])
    if name != "adaptive-p":
        end = Mirostat(int(name[-1]), *known["values"], n_vocab=len(known["rows"][0]))
    for i, (u, drawn) in enumerate(zip(known["u"], known["drawn"], strict=True)):
        c = all_of(np.array(known["rows"][i % len(known["rows"])]))
        c = c if name == "adaptive-p" else c.sorted()
        assert c.ids[end(c, u)] == drawn
        end.learn()
        states.append([end.total, end.weight] if name == "adaptive-p" else [end.mu, 0])
    if known["values"][0] >= 0:  # a target below 0 is off, and nothing is remembered
        # float32 against float64, over 60 steps
        np.testing.assert_allclose(states, known["states"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MEANING)
@given(data=st.data(), x=LOGITS)
def test_a_row_keeps_and_weighs_the_tokens_that_the_oracle_does(name, data, x):
    value = data.draw(VALUES[name])
    if name == "top_p":  # a sum that reaches p to the last bit may round either way
        reached = np.cumsum(np.sort(oracle.softmax(x))[::-1])
        assume(np.abs(reached - value).min() > 1e-6)
    got, want = apply(name, x, **{name: value}), MEANING[name](x, value)
    assert alive(got).tolist() == np.flatnonzero(np.isfinite(want)).tolist()
    want = oracle.softmax(want)[got.ids]
    np.testing.assert_allclose(got.probabilities(), want, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ROWS)
@given(data=st.data(), x=LOGITS, history=st.lists(st.integers(0, 39), max_size=20))
def test_a_row_adds_nothing_kills_not_all_and_leaves_the_callers_array(name, data, x, history):
    options = {p.name: data.draw(VALUES[p.name]) for p in ROWS[name].parameters}
    before = x.copy()
    got = apply(name, x, history, **options)
    assert len(alive(got)) >= 1
    assert set(got.ids.tolist()) <= set(range(len(x)))
    assert len(np.unique(got.ids)) == len(got)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("name", ROWS)
@given(x=LOGITS, history=st.lists(st.integers(0, 39), max_size=20))
def test_a_row_that_is_off_changes_nothing(name, x, history):
    got = apply(name, x, history, **OFF[name])
    assert got.ids.tolist() == list(range(len(x)))
    np.testing.assert_array_equal(got.logits, x)


def test_the_penalties_look_back_so_far_and_no_further():
    x = np.array([2.0, -2.0, 1.0, 1.0], np.float32)
    options = {"penalty_last_n": 3, "repeat_penalty": 2, "frequency_penalty": 0.25}
    got = apply("penalties", x, [3, 0, 0, 1], presence_penalty=0.5, **options)
    assert got.logits.tolist() == [2 / 2 - 2 * 0.25 - 0.5, -2 * 2 - 0.25 - 0.5, 1, 1]


def test_dry_hits_what_would_go_on_with_a_passage_and_stops_at_breakers():
    x, said = np.zeros(8, np.float32), [1, 2, 3, 4, 7, 1, 2, 3]
    options = {"dry_multiplier": 1, "dry_base": 2, "dry_allowed_length": 2, "dry_last_n": 64}
    assert apply("dry", x, said, **options).logits.tolist() == [0, 0, 0, 0, -2, 0, 0, 0]
    cut = apply("dry", x, said, breakers={2: [[]]}, **options)
    assert not cut.logits.any()
    pair = apply("dry", x, said, breakers={7: [[1]]}, **options)  # 7 1 parts: 2 3 are left
    assert pair.logits.tolist() == [0, 0, 0, 0, -1, 0, 0, 0]


@given(tokens=st.lists(st.integers(0, 2), min_size=1, max_size=30))
def test_suffix_lengths_are_the_plain_ones(tokens):
    def plain(at):
        n = 0
        while n <= at and tokens[at - n] == tokens[len(tokens) - 1 - n]:
            n += 1
        return n

    assert suffix_lengths(tokens) == [plain(at) for at in range(len(tokens) - 1)]


def test_breakers_are_found_inside_tokens_and_across_them():
    pieces = [b"a", b"x\n", b"\n", b"ab", b"b", b"cab"]
    found = breakers_of(pieces, lambda text: [pieces.index(text)], [b"\n", b"ab"])
    assert found == {1: [[]], 2: [[]], 0: [[4]], 3: [[]], 5: [[]]}


def test_xtc_leaves_the_least_likely_of_the_top_choices():
    x = np.log(np.array([0.4, 0.3, 0.2, 0.1], np.float32))
    chain = Chain(xtc_probability=0.5, xtc_threshold=0.15, seed=0)
    kept = {u: xtc(all_of(x), 0.5, 0.15, u).ids.tolist() for u in (0.49, 0.51)}
    assert kept == {0.49: [2, 3], 0.51: [0, 1, 2, 3]}
    assert len(chain.steps) == len(SAMPLERS)


def test_mirostat_brings_the_surprise_to_its_target():
    rng = np.random.default_rng(0)
    x = np.sort(rng.standard_normal(2000) * 2).astype(np.float32)[::-1].copy()
    log2p = np.log2(oracle.softmax(x))
    for version in (1, 2):
        chain = Chain(mirostat=version, mirostat_tau=3.0, temperature=1, seed=3)
        said = [chain.sample(x) for _ in range(600)]
        # the surprise that steers is among the tokens kept, a little below that among all
        assert 2 < -log2p[said[200:]].mean() < 5.5


def test_mirostat_1_takes_all_or_one_of_a_flat_distribution_and_counts_no_token_ruled_out():
    flat = all_of(np.zeros(150))
    kept = {tau: len(Mirostat(1, tau, 0.1, 150).keep(flat)) for tau in (0.5, 10)}
    assert kept == {0.5: 1, 10: 150}
    x = np.array([3.0, 2.0, 1.5, 1.0, -np.inf, -np.inf])
    both = [Mirostat(1, 1.2, 0.1, 4).keep(all_of(y).sorted()).ids.tolist() for y in (x, x[:4])]
    assert both[0] == both[1] != [0]


def test_adaptive_p_draws_near_its_target():
    x = np.log(np.array([0.6, 0.2, 0.1, 0.05, 0.05], np.float32))
    chain = Chain(adaptive_target=0.2, min_p=0, temperature=1, seed=1)
    counts = np.bincount([chain.sample(x) for _ in range(400)], minlength=5)
    assert counts[1] > counts[0]


def test_a_copy_of_a_chain_goes_on_alike():
    x = np.random.default_rng(0).standard_normal(50).astype(np.float32)
    chain = Chain(seed=1, repeat_penalty=1.5, mirostat=2)
    for _ in range(5):
        chain.sample(x)
    other = chain.copy()
    assert [chain.sample(x) for _ in range(20)] == [other.sample(x) for _ in range(20)]


def test_logit_bias_adds_and_bans():
    x = np.array([0.0, 1.0, 2.0], np.float32)
    chain = Chain(logit_bias={2: -np.inf, 0: 5}, min_p=0, top_k=0, top_p=1, seed=0)
    c = chain.candidates(x)
    assert alive(c).tolist() == [0, 1]
    assert np.isclose(c.logits[0] - c.logits[1], 4 / 0.8)
    with pytest.raises(RequestError, match="token 9, there are 3"):
        Chain(logit_bias={9: 1.0}).sample(x)
    with pytest.raises(RequestError, match="every token is banned"):
        Chain(logit_bias=dict.fromkeys(range(3), -np.inf)).sample(x)


def test_the_steps_run_in_the_order_that_is_asked_for():
    x = np.log([0.5, 0.3, 0.15, 0.05])
    first = Chain(samplers="temperature;top_p", temperature=100, top_p=0.6, seed=0)
    last = Chain(samplers=["top_p", "temperature"], temperature=100, top_p=0.6, seed=0)
    assert (len(first.candidates(x)), len(last.candidates(x))) == (3, 2)
    with pytest.raises(RequestError, match="samplers: 'heat', there are penalties; dry"):
        Chain(samplers="top_p;heat")


@given(LOGITS, OPTIONS, st.integers(0, 2**32))
def test_a_drawn_token_is_a_candidate_and_the_logits_stay_as_they_were(x, options, seed):
    before, chain = x.copy(), Chain(seed=seed, **options)
    token = chain.pick(x)
    assert token in alive(chain.candidates(x))
    np.testing.assert_array_equal(x, before)


@given(LOGITS, st.integers(0, 50), st.floats(0, 1))
def test_top_k_and_top_p_cut_the_tail_alone(x, k, p):
    kept = alive(Chain(top_k=k, top_p=p, min_p=0, seed=0).candidates(x))
    dropped = np.setdiff1d(np.arange(x.size), kept)
    assert kept.size <= (k or x.size)
    assert not dropped.size or x[kept].min() >= x[dropped].max()


@given(LOGITS, st.floats(0, 1, exclude_max=True))
def test_draw_inverts_the_cumulative_distribution(x, u):
    running = np.cumsum(oracle.softmax(x))
    assume(np.abs(running - u).min() > 1e-6)  # there float32 may round either way
    assert draw(all_of(x), u) == oracle.draw(x, u)


def test_the_first_of_equal_logits_wins_in_greedy_and_at_the_edge_of_top_k():
    x = np.array([1.0, 5.0, 5.0, 5.0], np.float32)
    assert Chain(greedy=True).sample(x) == Chain(temperature=0).sample(x) == 1
    assert alive(Chain(top_k=2, top_p=1, min_p=0).candidates(x)).tolist() == [1, 2]


def test_top_p_keeps_the_token_that_crosses_the_line():
    x = np.log([0.5, 0.3, 0.15, 0.05])
    kept = {
        p: alive(Chain(top_k=0, top_p=p, min_p=0).candidates(x)).size
        for p in (0.0, 0.4, 0.6, 0.9, 1)
    }
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


def test_every_token_uses_two_random_numbers_greedy_or_not():
    flat, peak = np.zeros(1000), np.eye(1000)[3] * 50
    plain, mixed = (Chain(seed=5, top_k=0, top_p=1) for _ in range(2))
    second = [plain.sample(flat) for _ in range(2)][1]
    assert mixed.sample(peak) == 3
    assert mixed.sample(flat) == second
    greedy = Chain(seed=5, greedy=True)
    greedy.sample(flat)
    assert greedy._rng.random() == np.random.default_rng(5).random(3)[2]


def test_draws_follow_the_distribution():
    p = np.array([0.5, 0.25, 0.125, 0.125])
    chain = Chain(seed=1, top_k=0, top_p=1, min_p=0, temperature=1)
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
        ({"heat": 0.1}, "heat: no such sampler; there are penalty_last_n"),
        ({"mirostat": 3}, "mirostat: got 3, want 0, 1 or 2"),
        ({"seed": -1}, "seed: got -1"),
        ({"seed": 0.5}, "seed: got 0.5"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_in_words(options, words):
    with pytest.raises(RequestError, match=words):
        Chain(**options)


@pytest.mark.parametrize("t", [1e-308, 1e-46, 1e-44])
def test_a_temperature_that_single_precision_takes_for_zero_is_greedy(t):
    x = np.array([1.0, 3.0, 2.0], np.float32)
    assert Chain(temperature=t, seed=0, samplers=["temperature"]).sample(x) == 1


def test_a_parameter_beyond_what_single_precision_has_is_refused():
    for value in (10**400, 1e300, 2**31 + 1):
        with pytest.raises(RequestError, match=r"top_k: got .*, want"):
            Chain(top_k=value)


def test_what_a_grammar_rules_out_is_no_candidate_for_steps_that_prefer_the_unlikely():
    class Only:
        """A grammar of one token, which is never the first to be drawn."""

        def accepts(self, token):
            return token == 2

        def allowed(self):
            return np.array([False, False, True, False])

        def accept(self, token):
            assert token == 2

    chain = Chain(seed=0, samplers=["xtc"], xtc_probability=1.0, xtc_threshold=0.0, grammar=Only())
    logits = np.array([3.0, 2.0, 1.0, 0.0], np.float32)
    assert [chain.sample(logits) for _ in range(5)] == [2] * 5
    banned = Chain(seed=0, logit_bias={2: -np.inf}, grammar=Only())
    with pytest.raises(RequestError, match="every token that the grammar allows is banned"):
        banned.sample(logits)
