"""What is peculiar to assignment 3: its numbers, its near misses, llama.cpp beside it.

What holds of every assignment is in test_every.py.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from autograder import catalog
from autograder.hints import SHARED
from minengine import oracle

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = catalog.find_course(ROOT).assignment("03_sampling")
SOLUTIONS = {(s.kind, s.name): s for s in ASSIGNMENT.solutions()}
OF_KIND = {k: [s for s in SOLUTIONS.values() if s.kind == k] for k in ("alternate", "wrong")}
RIGHT = [ASSIGNMENT.reference, *OF_KIND["alternate"]]
HOLE_OF = {c.id: c.hole for c in ASSIGNMENT.checks}
TEXT = "\n".join(c.source for c in ASSIGNMENT.handout.cells if c.kind == "markdown")
FOLDER = ROOT / "assignments" / ASSIGNMENT.id
CHECKS = ("agreement", "filter_checks", "draw_checks", "sampler_checks")


def module(name: str):
    """A file of the assignment's folder, with its neighbours importable, as the catalog has it."""
    sys.path.insert(0, str(FOLDER))
    try:
        return catalog._import(FOLDER / f"{name}.py")
    finally:
        sys.path.remove(str(FOLDER))


MISTAKES, DENSE = module("mistakes"), module("dense")


def namespace(solution) -> dict:
    names = {"np": np}
    for source in solution.sources.values():
        exec(source, names)
    return names


# The bank ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["greedy_last_tie", "top_k_one_more", "top_k_sorted", "penalty_inverted", "draw_descending"],
)
def test_a_mistake_in_a_part_costs_points_at_that_part_alone(name):
    (hole,) = SOLUTIONS["wrong", name].own
    assert {HOLE_OF[check] for check in SOLUTIONS["wrong", name].fails} == {hole}


def test_a_wrong_softmax_costs_its_points_once_though_all_that_follows_reads_it():
    for solution in OF_KIND["wrong"]:
        if set(solution.own) == {"softmax"}:
            assert {HOLE_OF[check] for check in solution.fails} == {"softmax"}, solution.name


# Against llama.cpp -------------------------------------------------------------------------------

GOLDEN = json.loads((ROOT / "tests" / "golden" / "samplers.json").read_text(encoding="utf-8"))
STEPS = {
    "penalties": "penalties",
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "typical_p": "typical",
    "temperature": "temperature",
}


def known_cases() -> list[dict]:
    """What llama.cpp's samplers left, of steps that the assignment has too."""
    plain = lambda step: step[0] != "temperature" or step[2] == 0  # noqa: E731 - no dynamic one
    return [c for c in GOLDEN["cases"] if all(s[0] in STEPS and plain(s) for s in c["steps"])]


@pytest.mark.parametrize("solution", RIGHT, ids=lambda s: s.name)
def test_what_a_right_solution_leaves_is_what_llamacpp_leaves(solution, capsys):
    names = namespace(solution)
    assert len(known_cases()) > 90
    for known in known_cases():
        row = np.array(known["logits"])
        for name, *values in known["steps"]:
            if name == "penalties":
                values = [known["history"], max(values[0], 0), *values[1:]]
            if name == "temperature":
                values = values[:1]
            row = names[STEPS[name]](row, *values)
        left = np.flatnonzero(row > -np.inf)
        # float32 in llama.cpp, float64 here; a probability below the smallest float32 is 0 there
        p = oracle.softmax(row)
        want = np.zeros(len(row))
        want[known["ids"]] = known["p"]
        if len(np.unique(known["logits"])) < len(row):  # which of equal logits stay is open
            p, want = np.sort(p), np.sort(want)
        else:
            assert set(known["ids"]) <= set(left.tolist())
        np.testing.assert_allclose(p, want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("solution", RIGHT, ids=lambda s: s.name)
def test_a_right_solution_draws_what_llamacpp_draws(solution, capsys):
    names = namespace(solution)
    for known in GOLDEN["cases"]:
        if known["group"] == "greedy":
            assert names["greedy"](np.array(known["logits"])) == known["drawn"]
        if known["group"] == "dist":
            assert names["draw"](np.array(known["logits"]), known["u"]) == known["drawn"]


def sorted_rows(run: dict) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows in descending order, with the ids: llama.cpp sorts before it draws."""
    found = []
    for row in run["rows"]:
        order = np.argsort(-np.array(row), kind="stable")
        found.append((np.array(row)[order], order))
    return found


@pytest.mark.parametrize("solution", RIGHT, ids=lambda s: s.name)
@pytest.mark.parametrize("version", [1, 2])
def test_a_right_mirostat_runs_as_llamacpps(solution, version, capsys):
    runs = [r for r in GOLDEN["runs"] if r["name"] == f"mirostat {version}"]
    assert runs
    for run in runs:
        state, rows = namespace(solution)[f"Mirostat{version}"](*run["values"]), sorted_rows(run)
        for i, u in enumerate(run["u"]):
            row, order = rows[i % len(rows)]
            token, mu = state.step(row, u)
            assert order[int(token)] == run["drawn"][i]
            assert abs(mu - run["states"][i][0]) < 1e-3  # a float32 logarithm a step, 60 steps


# Tags and near misses ----------------------------------------------------------------------------

TABLES = [
    *MISTAKES.PARTS.values(),
    MISTAKES.NONE_OF_THEM,
    MISTAKES.ALL_OF_THEM,
    *MISTAKES.MIROSTAT.values(),
    MISTAKES.SAMPLER,
]
NAMED = {tag for table in TABLES for tag in table}


def test_every_tag_has_a_hint_with_all_rungs_and_every_hint_a_tag():
    text = "".join((FOLDER / f"{name}.py").read_text() for name in CHECKS)
    in_checks = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)+)"', text))
    own = {t: h for t, h in ASSIGNMENT.hints.items() if t not in SHARED}
    twists = {tag.removeprefix("sampler-") for tag in MISTAKES.SAMPLER}
    assert set(own) == (NAMED | in_checks) - set(SHARED) - twists
    assert [t for t, h in own.items() if not (h.title and h.idea and h.where and h.example)] == []


def test_every_near_miss_but_a_few_is_shown_by_a_wrong_file():
    shown = {tag for s in OF_KIND["wrong"] for tag in s.fails.values()}
    # What only a check's other part can show: with greedy's own tie it is accepted.
    assert NAMED - shown == {"temperature-last-tie"}


def test_a_sampler_without_a_mistake_is_the_engines_chain():
    row = DENSE.logits_of(np.random.default_rng(3), 9)
    settings = DENSE.OFF | {"top_k": 5, "top_p": 0.8, "temp": 2.0}
    by_hand = oracle.temperature(oracle.top_p(oracle.top_k(row, 5), 0.8), 2.0)
    np.testing.assert_allclose(DENSE.chain(row, **settings), by_hand, rtol=1e-6)


# Text, stubs and signatures ----------------------------------------------------------------------


def row(head: str, values, after: str = "") -> str:
    cells = "".join(f"{v:9.4f}" if np.isfinite(v) else "     -inf" for v in values)
    return f"{head:15}{cells}{after}"


def words(head: str, values, after: str = "") -> str:
    return f"{head:15}" + "".join(f"{v:>9}" for v in values) + after


def block_softmax() -> str:
    x = np.array([2.0, 1, 0, -1])
    e = np.exp(x - 2)
    lines = row("logits", x), row("exp(x - 2)", e, f"   sum {e.sum():.4f}")
    return "\n".join([*lines, row("p", oracle.softmax(x))])


def block_temperature() -> str:
    x = np.array([2.0, 1, -1])
    cold = oracle.temperature(x, 2)
    lines = row("logits", x), row("p at t = 1", oracle.softmax(x)), row("t = 2", cold)
    return "\n".join([*lines, row("p at t = 2", oracle.softmax(cold))])


def block_top_k() -> str:
    x = np.array([1.0, 3, 0, 2])
    return "\n".join([row("logits", x), row("top_k, k = 2", oracle.top_k(x, 2))])


def block_top_p() -> str:
    p = np.array([0.1, 0.5, 0.15, 0.25])
    down = np.sort(p)[::-1]
    left = np.isfinite(oracle.top_p(np.log(p), 0.7))
    verdict = words("p = 0.7", ["keep" if k else "drop" for k in left], "   ids 1 and 3")
    assert np.flatnonzero(left).tolist() == [1, 3]
    return "\n".join(
        [row("probabilities", p), row("sorted", down), row("running sum", np.cumsum(down)), verdict]
    )


def block_min_p() -> str:
    p = np.array([0.5, 0.07, 0.28, 0.15])
    left = np.isfinite(DENSE.min_p(np.log(p), 0.2))
    verdict = words("p = 0.2", ["keep" if k else "drop" for k in left], "   0.2 * 0.5 = 0.1")
    return "\n".join([row("probabilities", p), verdict])


def block_typical() -> str:
    p = np.array([0.1, 0.5, 0.15, 0.25])
    s = -np.log(p)
    entropy = (p * s).sum()
    order = np.argsort(np.abs(s - entropy))
    left = np.isfinite(DENSE.typical(np.log(p), 0.6))
    return "\n".join(
        [
            row("probabilities", p),
            row("surprise", s, f"   entropy {entropy:.4f}"),
            row("distance", np.abs(s - entropy)),
            words("nearest first", [f"id {i}" for i in order]),
            row("running sum", np.cumsum(p[order])),
            words("p = 0.6", ["keep" if k else "drop" for k in left]),
        ]
    )


def block_penalties() -> str:
    x = np.array([2.0, -2, 0, 1])
    after = DENSE.penalised(x, [0, 1, 2], 64, 2.0)
    return "\n".join(
        [row("logits", x), words("times said", [1, 1, 1, 0]), row("repeat = 2", after)]
    )


def block_draw() -> str:
    p, us = np.array([0.2, 0.5, 0.3]), [0.1, 0.6, 0.9]
    tokens = [DENSE.drawn(np.log(p), u) for u in us]
    lines = row("probabilities", p), row("running sum", np.cumsum(p)), row("u", us)
    return "\n".join([*lines, words("token", tokens)])


def block_mirostat() -> str:
    p = np.array([0.5, 0.25, 0.125, 0.125])
    run = DENSE.mirostat(2, 1.2, 0.5, [np.log(p)] * 2, [0.9, 0.6])
    left = p[:2] / p[:2].sum()
    kept = row("left", left) + f"{'drop':>9}" * 2
    lines = [
        row("probabilities", p, "   tau = 1.2, eta = 0.5"),
        row("surprise, bits", -np.log2(p), "   mu = 2.4000"),
        kept,
    ]
    for u, (token, mu) in zip((0.9, 0.6), run, strict=True):
        bits = -np.log2(left[int(token)])
        lines.append(f"u = {u}           token {int(token)} of {bits:.4f} bits, mu = {mu:.4f}")
    return "\n".join(lines)


def block_sampler() -> str:
    x = np.array([2.0, 1, 0])
    cold = oracle.temperature(x, 2)
    return "\n".join(
        [
            row("p", oracle.softmax(x)),
            row("top_p, then t", DENSE.chain(x, **DENSE.OFF | {"top_p": 0.9, "temp": 2.0})),
            row("p after t", oracle.softmax(cold), "   0.9 is not reached by two"),
            row("t, then top_p", oracle.top_p(cold, 0.9), "   wrong: all three stay"),
        ]
    )


BLOCKS = [
    block_softmax,
    block_temperature,
    block_top_k,
    block_top_p,
    block_min_p,
    block_typical,
    block_penalties,
    block_draw,
    block_mirostat,
    block_sampler,
]
DRAWINGS = ("id      0         1", "logits -> bias -> penalties")
FENCED = re.findall(r"```\n(.*?)\n```", TEXT, re.S)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.__name__)
def test_a_block_of_numbers_in_the_handout_is_what_the_engine_gives(block):
    assert block() in FENCED, f"want this block in the handout:\n{block()}"


def test_every_block_of_the_handout_is_recomputed_or_a_drawing():
    drawings = [f for f in FENCED if any(d in f for d in DRAWINGS)]
    assert len(drawings) == len(DRAWINGS)
    assert sorted(set(FENCED) - set(drawings)) == sorted(block() for block in BLOCKS)


def test_numbers_in_the_sentences_are_what_numpy_says():
    assert "$e^{710}$ is more than a float64 holds" in TEXT
    with np.errstate(over="ignore"):
        assert np.isinf(np.exp(710.0))
        assert np.isfinite(np.exp(709.0))
