"""Checks of the tasks that pick a token: draws and mirostat.

Owns: given numbers u, runs of many steps, chi-square. Must not know: solutions, sandboxes.
Read before: agreement.py, dense.py, mistakes.py.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import dense
import mistakes
import numpy as np
from agreement import divides
from dense import logits_of, only
from filter_checks import reads_softmax

from autograder.checks import CheckFailed, check, close, require
from minengine import oracle

# mu moves by a float32 logarithm a step, and a run has at most fifty
RUN = {"rtol": 1e-3, "atol": 1e-3}


# draws -------------------------------------------------------------------------------------------


@check(hole="draw", points=1, title="u falls into a token's share")
@reads_softmax
def draw_values(student, rng):
    told = False
    while not told:  # until no known mistake looks like another
        row = only(logits_of(rng, 8, 0.7), np.sort(rng.choice(8, 6, replace=False)))
        us = [u for u in rng.random(12).tolist() if dense.clear_draw(row, u)]
        runs = [many(wrong, row, us).tobytes() for wrong in (dense.drawn, *mistakes.DRAW.values())]
        told = len(set(runs)) == len(runs)
    tokens_agree([student.draw(row, u) for u in us], row, us, "draw of a row with -inf")
    example, us = np.log([0.2, 0.5, 0.3]), [0.1, 0.6, 0.9]
    tokens_agree([student.draw(example, u) for u in us], example, us, "the example")


def tokens_agree(got: list, row: np.ndarray, us: list[float], what: str) -> None:
    """Tokens for numbers u, together: a mistake shows in all of them."""
    want = np.array([dense.drawn(row, u) for u in us])
    near = {tag: partial(many, wrong, row, us) for tag, wrong in mistakes.DRAW.items()}
    close(got, want, near=near, what=f"{what}, u = {us[:6]}", rtol=0, atol=0, axes=("draw",))


def many(one: Any, row: np.ndarray, us: list[float]) -> np.ndarray:
    return np.array([one(row, u) for u in us])


@check(hole="draw", points=1, title="u of 0, u near 1, u on an edge", visibility="hidden")
@reads_softmax
def draw_ends(student, rng):
    # The first and the last token are ruled out; those that are left stand in descending order.
    row = only(np.sort(logits_of(rng, 6))[::-1], [1, 2, 4])
    for u, want, tag in ((0.0, 1, "draw-first"), (1 - 2.0**-53, 4, "draw-last")):
        got = student.draw(row, u)
        token = np.ndim(got) == 0 and got == want
        require(bool(token), f"u = {u!r}: got token {got}, want {want}, the outermost left", tag)
    row = np.zeros(4)  # shares of 1/4: every running sum is exact
    got = [student.draw(row, u) for u in (0.25, 0.5, 0.75)]
    message = f"4 equal logits, u = 0.25, 0.5, 0.75: got {got}, want [0, 1, 2]"
    late = got == [1, 2, 3]
    if not (late and not divides(student, 4)):
        require(got == [0, 1, 2], message, "draw-edge" if late else "wrong-value")


@check(hole="draw", points=1, title="a vocabulary of a hundred thousand", visibility="hidden")
@reads_softmax
def draw_large(student, rng):
    n = int(rng.integers(100_000, 101_000))
    token = int(rng.integers(0.6 * n, 0.9 * n))
    for want in (token, n - 1):
        u = (want + 0.5) / n  # the middle of its share: all logits are equal
        got = student.draw(np.zeros(n), u)
        known = np.ndim(got) == 0 and 0 <= got < n
        off = abs(int(got) - want) if known else n
        # float32 shares summed in float64 are right to 1e-7 of the sum, a hundredth of a token
        message = f"u = {u:.6f} of {n} equal logits: got {got}, {off} tokens from the right one"
        require(off <= 2, message, "draw-float32" if off < n / 50 else "wrong-value")


DRAWS = 20_000
# chi-square of 5 degrees of freedom is above 60 once in 1e11 right runs, of 8 once in 2e9
UNLIKELY = 60.0
TOO_EVEN = 0.02  # of 5 degrees of freedom


def surprising(observed: np.ndarray, shares: np.ndarray) -> float:
    """Pearson's chi-square of counts against the counts expected."""
    expected = shares * observed.sum()
    return float((((observed - expected) ** 2)[shares > 0] / expected[shares > 0]).sum())


def counts_of(student: Any, row: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    got = np.asarray(student.draw_many(row, DRAWS, seed))
    usable = got.shape == (DRAWS,) and got.dtype.kind in "iu"
    message = f"draw_many(logits, {DRAWS}, seed): got shape {got.shape} of {got.dtype}"
    require(usable, f"{message}, want {DRAWS} token ids", "wrong-shape")
    require(bool(((got >= 0) & (got < len(row))).all()), "ids outside the row", "draw-many-law")
    return got, np.bincount(got, minlength=len(row))


@check(hole="draw_many", points=1, title="token i comes up in its share of the draws")
@reads_softmax
def draw_many_law(student, rng):
    row = only(logits_of(rng, 8, 0.8), np.sort(rng.choice(8, 6, replace=False)))
    _, counts = counts_of(student, row, int(rng.integers(2**31)))
    shares = oracle.softmax(row)
    impossible = counts[shares == 0].sum()
    message = f"{impossible} of {DRAWS} draws are of tokens that are ruled out"
    require(impossible == 0, message, "draw-many-ruled-out")
    far = surprising(counts, shares)
    message = f"counts {counts.tolist()}, expected {np.round(shares * DRAWS).tolist()}"
    require(far < UNLIKELY, f"{message}: chi-square {far:.0f}", "draw-many-law")
    if far < TOO_EVEN:  # chance does that three times in a million runs, and never twice
        _, counts = counts_of(student, row, int(rng.integers(2**31)))
        even = surprising(counts, shares) < TOO_EVEN
        require(not even, f"{message}: nothing random is so even", "draw-many-too-even")


@check(hole="draw_many", points=1, title="a seed is a sequence of draws", visibility="hidden")
@reads_softmax
def draw_many_seed(student, rng):
    row = logits_of(rng, 3, 0.5)
    seeds = rng.choice(2**31, 2, replace=False).tolist()
    first = counts_of(student, row, seeds[0])[0]
    pairs = np.bincount(first[:-1] * 3 + first[1:], minlength=9)
    shares = oracle.softmax(row)
    far = surprising(pairs, np.outer(shares, shares).ravel())
    # Pairs that overlap vary a little more than pairs that do not.
    message = f"pairs of neighbours are not independent: chi-square {far:.0f}"
    require(far < 2 * UNLIKELY, message, "draw-many-dependent")
    again, other = (counts_of(student, row, seed)[0] for seed in seeds)
    require(np.array_equal(first, again), "one seed gave two sequences", "draw-many-unseeded")
    message = "two seeds gave the same sequence"
    require(not np.array_equal(first, other), message, "draw-many-one-seed")


# mirostat ----------------------------------------------------------------------------------------


UNKNOWN = ("error", "wrong-value", "nan", "mirostat-keeps-all", "mirostat-surprise-of-all")


def run_agrees(
    student: Any, version: int, tau: float, eta: float, rows: Any, us: Any, want: np.ndarray
) -> str | None:
    """A run of the student's object against the engine's, step by step."""
    state = getattr(student, f"Mirostat{version}")(tau, eta)
    got = []
    for row, u in zip(rows, us, strict=True):
        reply = state.step(row, u)
        pair = isinstance(reply, list | tuple | np.ndarray) and np.size(reply) == 2
        require(pair, f"step: got {reply!r}, want (token, mu)", "wrong-type")
        got.append([float(v) for v in reply])
    args = tau, eta, rows, us
    near = {tag: partial(wrong, *args) for tag, wrong in mistakes.MIROSTAT[version].items()}
    what = f"Mirostat{version}({tau:.3g}, {eta:.3g})"
    mine = partial(by_own_parts, student, version, args, np.array(got))
    try:
        return close(np.array(got), want, near=near, own=mine, what=what, **RUN)
    except CheckFailed as failed:
        near_enough = np.isclose(np.array(got), want, **RUN).all(axis=1)
        step = int(np.argmin(near_enough))
        (a, mu), (b, right) = got[step], want[step]
        text = f"{what}, step {step + 1} of {len(us)}, u = {us[step]:.4f}"
        said = f"{text}: got token {a:g} and mu {mu:.5g}, want {b:g} and {right:.5g}"
        raise CheckFailed(failed.tag, said) from None


def by_own_parts(student: Any, version: int, args: tuple, got: np.ndarray) -> np.ndarray:
    """The run with the student's own ``draw``, ``top_k`` or both, whichever is what they got."""
    pick = {"pick": lambda row, u: int(student.draw(row, u))}
    cut = {"cut": lambda row, ids: np.asarray(student.top_k(row, len(ids)), np.float64)}
    for parts in (pick, cut, pick | cut):
        try:
            run = dense.mirostat(version, *args, **parts)
        except (CheckFailed, ArithmeticError, ValueError, IndexError):
            continue
        if np.allclose(run, got, rtol=RUN["rtol"], atol=RUN["atol"]):
            return run
    raise CheckFailed("wrong-value", "no parts of their own explain it")


def telling_run(
    rng: np.random.Generator, version: int, tau: float, eta: float, n: int, width: int
) -> tuple:
    """The arguments of a steady run in which no known mistake looks like another."""
    table = {t: m for t, m in mistakes.MIROSTAT[version].items() if t != "mirostat-vocabulary"}
    while True:
        rows, us, want = dense.steady(rng, version, tau, eta, n, width)
        runs = [wrong(tau, eta, rows, us) for wrong in table.values()]
        if len({np.round(r, 2).tobytes() for r in [*runs, want]}) == len(runs) + 1:
            return tau, eta, rows, us, want


@check(hole="Mirostat2", points=1, title="drop what surprises more than mu, then move mu")
@reads_softmax
def mirostat2_steps(student, rng):
    example = 1.2, 0.5, [np.log([0.5, 0.25, 0.125, 0.125])] * 2, [0.9, 0.6]
    note = run_agrees(student, 2, *telling_run(rng, 2, float(rng.uniform(1.2, 1.6)), 0.7, 5, 10))
    return run_agrees(student, 2, *example, dense.mirostat(2, *example)) or note


@check(hole="Mirostat2", points=1.5, title="mu stays right for fifty steps", visibility="hidden")
@reads_softmax
def mirostat2_run(student, rng):
    tau, eta = float(rng.uniform(1.4, 2)), float(rng.uniform(0.3, 0.6))
    return run_agrees(student, 2, tau, eta, *dense.steady(rng, 2, tau, eta, 50, 12))


@check(hole="Mirostat2", points=0.5, title="one token always stays", visibility="hidden")
@reads_softmax
def mirostat2_keeps_one(student, rng):
    tau = float(rng.uniform(0.01, 0.05))  # below the surprise of the likeliest
    while True:  # until the whole row would give another token than the likeliest
        run = dense.steady(rng, 2, tau, 0.5, 4, 8)
        if dense.drawn(run[0][0], run[1][0]) != np.argmax(run[0][0]):
            break
    try:
        note = run_agrees(student, 2, tau, 0.5, *run)
    except CheckFailed as failed:
        tag = "mirostat-none-left" if failed.tag in UNKNOWN else failed.tag
        raise CheckFailed(tag, f"no token is within mu: {failed}") from None
    # Four equal logits have 2 bits each, and mu begins at 2: exactly mu is not more than mu.
    row, u = np.zeros(4), 0.6
    token, _ = student.Mirostat2(1.0, 0.5).step(row, u)
    alone = token == 0 and divides(student, 4) and student.draw(row, u) != 0
    message = "tokens whose surprise is exactly mu are ruled out"
    require(not alone, message, "mirostat-bound")
    return note


@check(hole="Mirostat1", points=1, title="as many tokens as Zipf's exponent says")
@reads_softmax
def mirostat1_steps(student, rng):
    note = run_agrees(student, 1, *telling_run(rng, 1, float(rng.uniform(0.6, 0.9)), 0.5, 8, 5))
    # A flat row and a small mu make k less than 1.
    run = dense.steady(rng, 1, 0.02, 0.5, 2, 5, partial(logits_of, scale=0.1))
    try:
        return run_agrees(student, 1, 0.02, 0.5, *run) or note
    except CheckFailed as failed:
        tag = "mirostat-none-left" if failed.tag in UNKNOWN else failed.tag
        raise CheckFailed(tag, f"k is below 1: {failed}") from None


@check(hole="Mirostat1", points=1, title="mu over fifty steps, V above 100", visibility="hidden")
@reads_softmax
def mirostat1_run(student, rng):
    tau, eta = float(rng.uniform(2.5, 3.5)), float(rng.uniform(0.2, 0.4))
    note = run_agrees(student, 1, tau, eta, *dense.steady(rng, 1, tau, eta, 50, 160))
    run = dense.steady(rng, 1, tau, eta, 2, 160, a_hundred)
    try:
        return run_agrees(student, 1, tau, eta, *run) or note
    except CheckFailed as failed:
        tag = "mirostat-hundred" if failed.tag == "wrong-value" else failed.tag
        raise CheckFailed(tag, str(failed)) from None


def a_hundred(rng: np.random.Generator, n: int) -> np.ndarray:
    """The 100th probability is far below the 99th, and the 101st far below it: who looks at one
    less or one more finds another exponent.
    """
    row = np.sort(logits_of(rng, n, 0.5))[::-1].copy()
    row[99:] -= 6
    row[100:] -= 20
    return rng.permutation(row)
