"""What is peculiar to assignment 1: its numbers and its near misses.

What holds of every assignment is in test_every.py.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from autograder import catalog, checks
from autograder.checks import Seeds
from autograder.hints import SHARED
from autograder.local import LocalStudent
from minengine import oracle

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = catalog.find_course(ROOT).assignment("01_transformer_layer")
SOLUTIONS = {(s.kind, s.name): s for s in ASSIGNMENT.solutions()}
OF_KIND = {k: [s for s in SOLUTIONS.values() if s.kind == k] for k in ("alternate", "wrong")}
TEXT = "\n".join(c.source for c in ASSIGNMENT.handout.cells if c.kind == "markdown")
FOLDER = ROOT / "assignments" / ASSIGNMENT.id


def module(name: str):
    """A file of the assignment's folder, with its neighbours importable, as the catalog has it."""
    sys.path.insert(0, str(FOLDER))
    try:
        return catalog._import(FOLDER / f"{name}.py")
    finally:
        sys.path.remove(str(FOLDER))


MISTAKES, COMPOSITION = module("mistakes"), module("composition")


def namespace(solution) -> dict:
    names = {"np": np}
    for source in solution.sources.values():
        exec(source, names)
    return names


# The bank ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("solution", OF_KIND["wrong"][::9], ids=lambda s: s.name)
def test_the_command_that_a_failure_names_shows_the_same_mistake(solution):
    """On public inputs, also where only a secret draw showed it and nothing of it is told."""
    student = LocalStudent(namespace(solution), ASSIGNMENT.handout.holes)
    seeds = Seeds.of(b"x" * 32, ASSIGNMENT.id, "ada")
    found = checks.run(ASSIGNMENT.checks, student, seeds, hints=ASSIGNMENT.hints)
    failed = [r for r in found if not r.passed]
    assert failed
    for r in failed:
        check_id, seed = re.search(r"--only (\S+) --seed (\d+)$", r.replay).groups()
        one = next(c for c in ASSIGNMENT.checks if c.id == check_id)
        again = checks.attempt(one, student, Seeds.rng(check_id, int(seed)))
        assert (check_id, again.tag) == (r.check, r.tag)


@pytest.mark.parametrize("name", ["trick_returns_the_input", "trick_returns_zeros"])
def test_an_answer_without_a_thought_gets_nothing(name):
    assert set(SOLUTIONS["wrong", name].fails) == {c.id for c in ASSIGNMENT.checks}


def test_empty_parts_do_not_carry_an_empty_layer():
    fails = SOLUTIONS["wrong", "trick_empty_parts"].fails
    mine = {c.id for c in ASSIGNMENT.checks if c.hole in ("attention", "swiglu", "layer")}
    assert mine <= set(fails)


def test_a_mistake_in_a_part_costs_points_at_that_part_alone():
    for name, hole in (
        ("rope_pairs_halves", "rope"),
        ("norm_over_all", "rms_norm"),
        ("mask_inverted", "causal_mask"),
        ("heads_interleaved", "attention"),
        ("swiglu_gelu", "swiglu"),
    ):
        of = {c.id: c.hole for c in ASSIGNMENT.checks}
        assert {of[check] for check in SOLUTIONS["wrong", name].fails} == {hole}


# Tags and near misses ----------------------------------------------------------------------------

TABLES = {**MISTAKES.PARTS, "layer": MISTAKES.LAYER, "layer_with_cache": MISTAKES.CACHE}
IN_CHECKS = set(
    re.findall(
        r'"([a-z0-9]+(?:-[a-z0-9]+)+)"',
        "".join((FOLDER / f"{n}.py").read_text() for n in ("checks", "composition", "agreement")),
    )
)


def test_every_tag_has_a_hint_with_all_rungs_and_every_hint_a_tag():
    tags = {tag for table in TABLES.values() for tag in table} | IN_CHECKS
    own = {t: h for t, h in ASSIGNMENT.hints.items() if t not in SHARED}
    assert set(own) == tags - set(SHARED)
    assert [t for t, h in own.items() if not (h.title and h.idea and h.where and h.example)] == []


def test_every_near_miss_but_a_few_is_shown_by_a_wrong_file():
    shown = {tag for s in OF_KIND["wrong"] for tag in s.fails.values()}
    tags = {tag for table in TABLES.values() for tag in table}
    # Mistakes seldom made alone: known, so that a student who makes one is told.
    rare = {"mask-mirrored", "scale-inverted", "attention-uniform", "swiglu-linear", "swiglu-sum"}
    assert tags - shown == rare | {"layer-norms-swapped"}


def plain(hole: str) -> tuple:
    """Arguments on which the mistakes of a part differ from the rule and from each other."""
    rng = np.random.default_rng(5)
    normal = rng.standard_normal
    return {
        "rms_norm": (normal((3, 8)) + 1, rng.uniform(0.5, 2, 8), 0.3),
        "rope": (normal((3, 2, 8)), np.array([4, 2, 9]), 50.0),
        "causal_mask": (3, 5),
        "attention": (
            *(normal(s) for s in ((3, 4, 6), (5, 2, 6), (5, 2, 6))),
            oracle.causal_mask(3, 5),
        ),
        "swiglu": tuple(normal(s) for s in ((3, 6), (8, 6), (8, 6), (6, 8))),
    }[hole]


def same(a, b) -> bool:
    return np.shape(a) == np.shape(b) and np.allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("hole", MISTAKES.PARTS)
def test_the_mistakes_of_a_part_differ_from_the_rule_and_from_each_other(hole):
    args = plain(hole)
    # Of float64 inputs the one for float16 is the one without eps.
    table = {t: m(*args) for t, m in TABLES[hole].items() if t != "norm-float16-square"}
    table[""] = getattr(oracle, hole)(*args)
    twins = {(a, b) for a in table for b in table if a < b and same(table[a], table[b])}
    # What only special inputs tell apart: scores of thousands, a row of zeros.
    known = {"attention": ("", "mask-finite"), "rms_norm": ("norm-eps-fixed", "norm-eps-missing")}
    assert twins == ({known[hole]} if hole in known else set())


def test_the_mistakes_of_a_layer_differ_from_the_rule_and_from_each_other():
    rng = np.random.default_rng(6)
    drawn = COMPOSITION.problem(rng, 6, eps=0.3, base=30.0)
    call = COMPOSITION.changed(drawn, positions=np.arange(3, 9))
    old = COMPOSITION.part(call, slice(0, 4))
    new = COMPOSITION.changed(COMPOSITION.part(call, slice(4, 6)), past=MISTAKES.compose(old)[1])
    new.past = tuple(a[1:] for a in new.past)
    table = {t: m(new) for t, m in (MISTAKES.LAYER | MISTAKES.CACHE).items()}
    table[""] = MISTAKES.compose(new)
    flat = {t: np.concatenate([a.ravel() for a in (out, *kv)]) for t, (out, kv) in table.items()}
    twins = {(a, b) for a in flat for b in flat if a < b and same(flat[a], flat[b])}
    # Positions from the start of x are positions from 0: one mistake, met in two tasks.
    assert twins == {("cache-positions-restart", "layer-positions-ignored")}


def test_a_composition_without_a_mistake_is_the_oracles_layer():
    call = COMPOSITION.problem(np.random.default_rng(7), 4)
    want, (k, v) = oracle.layer(
        call.x,
        call.weights,
        call.positions,
        n_heads=call.n_heads,
        n_kv_heads=call.n_kv_heads,
    )
    out, past = MISTAKES.compose(call)
    assert np.array_equal(out, want)
    assert np.array_equal(past[0], k)
    assert np.array_equal(past[1], v)


# Text, stubs and signatures ----------------------------------------------------------------------


def row(*values: float, head: str = "") -> str:
    return head.ljust(14) + "".join(f"{v:9.4f}" for v in values)


def block_rms_norm() -> str:
    x, w = np.array([[3.0, 1, -1, 5]]), np.array([1.0, 2, 1, 1])
    mean = np.mean(x**2)
    return "\n".join(
        [
            row(*x[0], head="x"),
            row(*x[0] ** 2, head="x squared") + f"   mean {mean:.4f}, its root {mean**0.5:.4f}",
            row(*x[0] / mean**0.5, head="x / root"),
            row(*w, head="weight"),
            row(*oracle.rms_norm(x, w)[0], head="y"),
        ]
    )


def block_rope() -> str:
    x = np.array([[[1.0, 0, 1, 0]]] * 3)
    turned = oracle.rope(x, np.arange(3))[:, 0]
    lines = [row(*x[0, 0], head="x")]
    return "\n".join(lines + [row(*t, head=f"position {p}") for p, t in enumerate(turned)])


def block_causal_mask() -> str:
    masks = [oracle.causal_mask(*size) for size in ((4, 4), (2, 5), (1, 5))]
    lines = ["T = 4, S = 4          T = 2, S = 5          T = 1, S = 5"]
    for t in range(4):
        drawn = [" ".join(".#"[int(b)] for b in m[t]) if t < len(m) else "" for m in masks]
        lines.append("".join(d.ljust(22) for d in drawn).rstrip())
    lines[-1] = lines[-1].ljust(22) + "# = True, may look;  . = False"
    return "\n".join("  " + line for line in lines)


def block_attention() -> str:
    q, keys = np.array([2.0, 0, 0, 0]), np.eye(3, 4)
    dots = keys @ q
    exp = np.exp(dots / 2)
    weights = oracle.softmax(dots / 2)
    out = oracle.attention(q[None, None], keys[:, None], keys[:, None])[0, 0]
    vector = lambda v: " ".join(f"{a:g}" for a in v)  # noqa: E731
    three = lambda v: "".join(f"{a:.4f}".ljust(12) for a in v).rstrip()  # noqa: E731
    return "\n".join(
        [
            f"q             {vector(q)}",
            "keys          " + "     ".join(vector(k) for k in keys),
            "q . k" + "".join(f"{d:g}".rjust(w) for d, w in zip(dots, (15, 12, 12), strict=True)),
            f"scores        {three(dots / 2)}",
            f"exp           {three(exp)}     sum {exp.sum():.4f}",
            f"weights       {three(weights)}",
            "out           " + "  ".join(f"{a:.4f}" for a in out),
        ]
    )


def block_swiglu() -> str:
    gate, up = 2.0, 3.0
    silu, sigmoid = oracle.silu(gate), 1 / (1 + np.exp(-gate))
    one = np.ones((1, 1))
    out = oracle.swiglu(one, gate * one, up * one, one)[0, 0]
    return "\n".join(
        [
            "x        1.0000",
            f"gate     {gate:.4f}     silu  {gate:.4f} * {sigmoid:.4f} = {silu:.4f}",
            f"up       {up:.4f}",
            f"out      {silu:.4f} * {up:.4f} * 1.0000 = {out:.4f}",
        ]
    )


def block_layer() -> str:
    x, ones, eye = np.array([[1.0, 7.0]]), np.ones(2), np.eye(2)
    weights = dict.fromkeys(("attn_norm", "ffn_norm"), ones)
    weights |= dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), eye)
    weights |= {"ffn_gate": eye[:1], "ffn_up": eye[1:], "ffn_down": eye[:, :1]}
    out, _ = oracle.layer(x, weights, np.arange(1), n_heads=1, n_kv_heads=1)
    h = oracle.rms_norm(x, ones)
    m = x + h
    h2 = oracle.rms_norm(m, ones)
    ffn = oracle.swiglu(h2, weights["ffn_gate"], weights["ffn_up"], weights["ffn_down"])
    assert np.allclose(m + ffn, out)

    def line(head: str, v, more: str = "") -> str:
        return f"{head:14}{v[0, 0]:.4f}   {v[0, 1]:.4f}     {more}".rstrip()

    root = np.sqrt(np.mean(x**2))
    return "\n".join(
        [
            line("x", x),
            line("rms_norm", h, f"root mean square {root:.4f}"),
            line("m", m, "attention of one token is its value"),
            line("rms_norm", h2),
            line("swiglu", ffn, f"silu({h2[0, 0]:.4f}) * {h2[0, 1]:.4f}"),
            line("out", out),
        ]
    )


def block_cache() -> str:
    lines = ["call      start   T   P   S   positions of the keys   mask"]
    kept: list[int] = []
    for call, n_new, n_dropped in (
        ("prompt", 3, 0),
        ("step", 1, 0),
        ("step", 1, 0),
        ("step", 1, 2),
    ):
        start = kept[-1] + 1 if kept else 0
        kept = kept[n_dropped:]
        n_past, kept = len(kept), kept + list(range(start, start + n_new))
        shape = oracle.causal_mask(n_new, len(kept)).shape
        keys = " ".join(map(str, kept)).ljust(24)
        sizes = f"{start:5}{n_new:4}{n_past:4}{len(kept):4}"
        lines.append(f"{call:10}{sizes}   {keys}{shape[0]} x {shape[1]}")
    return "\n".join(lines)


BLOCKS = [
    block_rms_norm,
    block_rope,
    block_causal_mask,
    block_attention,
    block_swiglu,
    block_layer,
    block_cache,
]
DRAWINGS = ("pairs here", "query head      0", "+-- w_gate", "+- rms_norm -+")


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.__name__)
def test_a_block_of_numbers_in_the_handout_is_what_the_oracle_gives(block):
    fenced = re.findall(r"```\n(.*?)\n```", TEXT, re.S)
    assert block() in fenced, f"want this block in the handout:\n{block()}"


def test_every_block_of_the_handout_is_recomputed_or_a_drawing():
    fenced = re.findall(r"```\n(.*?)\n```", TEXT, re.S)
    drawings = [f for f in fenced if any(d in f for d in DRAWINGS)]
    assert len(drawings) == len(DRAWINGS)
    assert sorted(set(fenced) - set(drawings)) == sorted(block() for block in BLOCKS)


def test_numbers_in_the_sentences_are_what_numpy_says():
    assert "its largest is 65504" in TEXT
    assert np.finfo(np.float16).max == 65504
    assert "$e^{100}$ is already more than float32 can hold" in TEXT
    assert np.exp(100.0) > np.finfo(np.float32).max
    assert "32,768 tokens that is a thousand million" in TEXT
    assert round(32768**2 / 1e9) == 1
    for said, value in (
        ("0.7311", oracle.silu(1.0)),
        ("-0.2689", oracle.silu(-1.0)),
        ("0.8413", MISTAKES.SWIGLU["swiglu-gelu"](*(np.ones((1, 1)),) * 4).item()),
    ):
        assert any(said in h.where + h.example for h in ASSIGNMENT.hints.values())
        assert abs(float(said) - value) < 3e-4


# What is computed once --------------------------------------------------------------------------


def test_a_problem_is_the_same_call_where_the_generator_is_and_leaves_it_where_it_would_be():
    problem = ASSIGNMENT.module.problem
    for drawn_before in (0, 1):  # one draw of 32 bits leaves half of a number for the next
        first, second, other = (np.random.default_rng(s) for s in (3, 3, 4))
        for rng in (first, second, other):
            rng.integers(0, 2, drawn_before)
        call = problem(first, 5, eps=0.5)
        assert problem(second, 5, eps=0.5) is call
        assert first.bit_generator.state == second.bit_generator.state
        assert problem(second, 5, eps=0.5) is not call
        assert not np.array_equal(problem(other, 5, eps=0.5).x, call.x)
        with pytest.raises(ValueError, match="read-only"):
            call.x[0] = 0
