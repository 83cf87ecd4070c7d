"""Checks of the tasks that turn a row into a row, and of greedy, which needs nothing else.

Owns: softmax, greedy, temperature, the filters, the penalties. Must not know: random numbers,
solutions, sandboxes. Read before: agreement.py, dense.py, mistakes.py.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import mistakes
import numpy as np
from agreement import (
    agrees,
    contract,
    count_agrees,
    divides,
    firm_row,
    refuses,
    row_agrees,
    telling_row,
    token_agrees,
)
from dense import alive, logits_of, only

from autograder.checks import check, close, relying_on, require
from minengine import oracle

# float32 sums of some ten shares
SHARES = {"rtol": 1e-4, "atol": 1e-6, "axes": ("token",)}


# softmax -----------------------------------------------------------------------------------------


def shares_agree(student: Any, row: np.ndarray, what: str, got: Any = None) -> None:
    got = student.softmax(row) if got is None else got
    near = {tag: partial(wrong, row) for tag, wrong in mistakes.SOFTMAX.items()}
    close(got, oracle.softmax(row), near=near, what=what, **SHARES)


@check(hole="softmax", points=1, title="exponentials, as shares of their sum")
def softmax_values(student, rng):
    shares_agree(student, np.array([2.0, 1, 0, -1]), "the example")
    shares_agree(student, logits_of(rng, 6), "softmax")


@check(hole="softmax", points=1, title="logits of any size, -inf too", visibility="hidden")
def softmax_of_any_size(student, rng):
    for top in (1e4, -1e4, float(rng.uniform(2e3, 8e3))):
        row = np.array([top, top - 1, top - 2, top - 1e4, -np.inf], np.float64)[rng.permutation(5)]
        got = student.softmax(row)
        finite = np.isfinite(np.asarray(got)).all()
        require(finite, f"logits about {top:g} give {got}", "softmax-overflow")
        shares_agree(student, row, f"logits about {top:g}", got)


@check(hole="softmax", points=0.5, title="no distribution, a ValueError", visibility="hidden")
def softmax_refuses(student, rng):
    for value, name in ((np.nan, "a NaN"), (np.inf, "+inf")):
        row = logits_of(rng, 5)
        row[rng.integers(5)] = value
        refuses(student, "softmax", row, name, "softmax-accepts")
    refuses(student, "softmax", np.full(4, -np.inf), "nothing but -inf", "softmax-accepts")


@check(hole="softmax", points=0.5, title="float16 in, float32 or float64 out")
def softmax_contract(student, rng):
    contract(student, "softmax", logits_of(rng, 6))


reads_softmax = relying_on(
    softmax_values,
    softmax_of_any_size,
    softmax_contract,
    right=SimpleNamespace(softmax=oracle.softmax),
)


# greedy and temperature --------------------------------------------------------------------------


@check(hole="greedy", points=1, title="the largest logit, the first where several are")
def greedy_values(student, rng):
    tied = logits_of(rng, 8)
    tied[rng.choice(8, 3, replace=False)] = tied.max() + 1
    low = np.where(np.arange(6) == rng.integers(6), -np.inf, -4 + logits_of(rng, 6, 0.5))
    near_miss = logits_of(rng, 6)
    near_miss[rng.integers(6)] = -9  # large, and far below zero
    for row, what in ((tied, "a tie"), (low, "all below zero"), (near_miss, "one of -9")):
        token_agrees(student.greedy(row), int(np.argmax(row)), "greedy", (row,), what)


@check(hole="greedy", points=0.5, title="NaN is a ValueError, not an answer", visibility="hidden")
def greedy_refuses(student, rng):
    row = logits_of(rng, 6)
    row[rng.integers(6)] = np.nan
    refuses(student, "greedy", row, "a NaN", "greedy-accepts-nan")


@check(hole="temperature", points=1, title="logits are divided by t")
def temperature_values(student, rng):
    agrees(student, "temperature", np.array([2.0, 1, -1]), 2.0, what="the example")
    for t in (0.5, float(rng.uniform(1.2, 3))):
        row = only(logits := logits_of(rng, 6), np.delete(np.arange(6), np.argmin(logits)))
        agrees(student, "temperature", row, t)


@check(hole="temperature", points=1, title="0 or less leaves the largest alone")
def temperature_zero(student, rng):
    row = logits_of(rng, 7) + 9  # the largest in magnitude too
    row[rng.choice(7, 2, replace=False)] = row.max() + 1
    near = {t: m for t, m in mistakes.TEMPERATURE.items() if t != "temperature-multiplied"}
    for t in (0.0, -1.0):
        got = student.temperature(row, t)
        usable = np.shape(got) == row.shape and not np.isnan(np.asarray(got)).any()
        infinite = usable and np.isinf(np.asarray(got)).all()
        require(usable and not infinite, f"t = {t:g}: got {got}", "temperature-zero-divides")
        clamped = np.isfinite(np.asarray(got)).all() and np.abs(got).max() > 1e3
        message = f"t = {t:g}: got {got}, want -inf for all but one"
        require(not clamped, message, "temperature-zero-clamped")
        own = partial(one_left, student, row)
        agrees(student, "temperature", row, t, got=got, near=near, own=own)


def one_left(student: Any, row: np.ndarray) -> np.ndarray:
    """The token that the student's own ``greedy`` takes."""
    return only(row, [int(student.greedy(row))])


@check(hole="temperature", points=0.5, title="float16 in, float32 or float64 out")
def temperature_contract(student, rng):
    contract(student, "temperature", logits_of(rng, 6), 0.5)
    contract(student, "temperature", logits_of(rng, 6), 1.0, off=True)


# top-k, top-p, min-p, typical --------------------------------------------------------------------


@check(hole="top_k", points=1, title="the k largest stay, where they stood")
def top_k_values(student, rng):
    for k in (int(rng.integers(3, 6)), 2):
        agrees(student, "top_k", telling_row(rng, "top_k", k), k)
    agrees(student, "top_k", np.array([1.0, 3, 0, 2]), 2, what="the example")


@check(hole="top_k", points=1, title="of equal logits no more than k stay", visibility="hidden")
def top_k_ties(student, rng):
    row = np.repeat(np.array([2.0, 1, 0, -1]), [1, 4, 2, 1])[rng.permutation(8)]
    for k in (1, 3, 6):
        tags = dict.fromkeys(range(k), "top-k-ties-dropped")
        tags |= dict.fromkeys(range(k + 1, 9), "top-k-ties")
        tags |= {0: "top-k-one-less", 2: "top-k-one-more"} if k == 1 else {}
        count_agrees(student.top_k(row, k), row, k, f"top_k(logits, {k}) of a tie", tags)


@check(hole="top_k", points=0.5, title="k of 0 is off, k above V is V", visibility="hidden")
def top_k_ends(student, rng):
    row = logits_of(rng, 6)
    for k, tags in (
        (0, {0: "top-k-zero-keeps-none", 1: "top-k-zero-keeps-one"}),
        (-2, {0: "top-k-zero-keeps-none", 1: "top-k-zero-keeps-one", 4: "top-k-negative"}),
        (9, {}),
        (5, {6: "top-k-one-more", 4: "top-k-one-less"}),
    ):
        left = 5 if k == 5 else 6
        count_agrees(student.top_k(row, k), row, left, f"top_k(logits, {k}) of 6", tags)


@check(hole="top_k", points=0.5, title="float16 in, float32 or float64 out, always a copy")
def top_k_contract(student, rng):
    contract(student, "top_k", firm_row(rng, "top_k", 3), 3)
    contract(student, "top_k", logits_of(rng, 8), 0, off=True)


@check(hole="top_p", points=1.5, title="the likeliest, up to the one that reaches p")
@reads_softmax
def top_p_values(student, rng):
    for p in (float(rng.uniform(0.5, 0.6)), float(rng.uniform(0.7, 0.85))):
        agrees(student, "top_p", telling_row(rng, "top_p", p), p)
    agrees(student, "top_p", np.log([0.1, 0.5, 0.15, 0.25]), 0.7, what="the example")


@check(hole="top_p", points=1, title="a sum of exactly p is enough", visibility="hidden")
@reads_softmax
def top_p_exact(student, rng):
    n = 8
    row = np.full(n, 2.0)  # shares of 1/8: every sum is exact
    for part in (4, 2, 6):
        got, what = student.top_p(row, part / n), f"top_p of {n} equal logits, p = {part / n}"
        if np.shape(got) == (n,) and len(alive(got)) == part + 1 and not divides(student, n):
            continue
        tags = {part + 1: "top-p-sum-exact", part - 1: "top-p-crossing-dropped"}
        count_agrees(got, row, part, what, tags)


@check(hole="top_p", points=1, title="p of 0 keeps one, 1 is off", visibility="hidden")
@reads_softmax
def top_p_ends(student, rng):
    row = logits_of(rng, 6)
    for p in (0.0, -0.5):
        tags = {0: "top-p-zero-keeps-none", 2: "top-p-one-more"}
        count_agrees(student.top_p(row, p), row, 1, f"top_p(logits, {p})", tags)
    # The last share is below the rounding of the sum: only "off" keeps it.
    row[rng.integers(6)] = -90.0
    for p in (1.0, 1.5):
        count_agrees(student.top_p(row, p), row, 6, f"top_p(logits, {p})", {5: "top-p-one-cuts"})


@check(hole="top_p", points=0.5, title="what is ruled out has no share", visibility="hidden")
@reads_softmax
def top_p_after_top_k(student, rng):
    # One is left of .4 .3 .2 .1 after k = 2, and of many after k = 1, where a 0 would outweigh it.
    row = np.log([0.4, 0.3, 0.2, 0.1])[rng.permutation(4)]
    tags = dict.fromkeys((0, 2, 3, 4), "top-p-ruled-out-counts")
    count_agrees(student.top_p(oracle.top_k(row, 2), 0.5), row, 1, "top_p after top_k", tags)


@check(hole="top_p", points=0.5, title="at least min_keep stay", visibility="hidden")
@reads_softmax
def top_p_min_keep(student, rng):
    row = logits_of(rng, 8)
    for p, min_keep in ((0.01, 4), (0.0, 3)):
        what = f"top_p(logits, {p}, min_keep={min_keep})"
        got = student.top_p(row, p, min_keep)
        count_agrees(got, row, min_keep, what, dict.fromkeys((0, 1), "min-keep-ignored"))


@check(hole="top_p", points=0.5, title="float16 in, float32 or float64 out, always a copy")
@reads_softmax
def top_p_contract(student, rng):
    while oracle.softmax(row := firm_row(rng, "top_p", 0.6)).max() > 0.35:
        pass  # else who takes the unlikeliest first would leave the row as it is
    contract(student, "top_p", row, 0.6)
    contract(student, "top_p", logits_of(rng, 8), 1.0, off=True)


@check(hole="min_p", points=1, title="at least p times as likely as the likeliest")
def min_p_values(student, rng):
    for p in (float(rng.uniform(0.1, 0.2)), float(rng.uniform(0.15, 0.2))):
        agrees(student, "min_p", telling_row(rng, "min_p", p), p)
    agrees(student, "min_p", np.log([0.5, 0.07, 0.28, 0.15]), 0.2, what="the example")


@check(hole="min_p", points=1, title="0 is off, 1 keeps the largest", visibility="hidden")
def min_p_ends(student, rng):
    row = logits_of(rng, 7)
    for p in (0.0, -0.1):
        tags = dict.fromkeys((0, 1), "min-p-negative")
        count_agrees(student.min_p(row, p), row, 7, f"min_p(logits, {p})", tags)
    tags = {0: "min-p-none-left", 7: "min-p-above-one-is-off"}
    count_agrees(student.min_p(row, 1.5), row, 1, "min_p(logits, 1.5)", tags)
    row[rng.choice(7, 3, replace=False)] = row.max() + 1
    tags = dict.fromkeys((0, 1), "min-p-strict")
    count_agrees(student.min_p(row, 1.0), row, 3, "min_p(logits, 1.0) of three largest", tags)


@check(hole="min_p", points=0.5, title="at least min_keep stay", visibility="hidden")
def min_p_min_keep(student, rng):
    row = logits_of(rng, 8)
    row[rng.integers(8)] += 8
    got = student.min_p(row, 0.9, 4)
    count_agrees(got, row, 4, "min_p(logits, 0.9, min_keep=4)", {1: "min-keep-ignored"})
    near = {"min-keep-others": got}
    row_agrees(got, oracle.top_k(row, 4), near, "min_p(logits, 0.9, min_keep=4)")


@check(hole="min_p", points=0.5, title="float16 in, float32 or float64 out, always a copy")
def min_p_contract(student, rng):
    contract(student, "min_p", firm_row(rng, "min_p", 0.2), 0.2)
    contract(student, "min_p", logits_of(rng, 8), 0.0, off=True)


@check(hole="typical", points=1, title="those whose surprise is nearest to the entropy")
@reads_softmax
def typical_values(student, rng):
    for _ in range(2):
        p = float(rng.uniform(0.35, 0.6))
        agrees(student, "typical", telling_row(rng, "typical", p), p)
    agrees(student, "typical", np.log([0.1, 0.5, 0.15, 0.25]), 0.6, what="the example")


@check(hole="typical", points=0.5, title="p of 0 keeps one, 1 is off", visibility="hidden")
@reads_softmax
def typical_ends(student, rng):
    row = logits_of(rng, 6)
    got = student.typical(row, 0.0)
    count_agrees(got, row, 1, "typical(logits, 0.0)", {0: "typical-none-left"})
    row[rng.integers(6)] = -900.0  # of probability 0 in float64: only "off" keeps it
    for p in (1.0, 1.2):
        what = f"typical(logits, {p})"
        count_agrees(student.typical(row, p), row, 6, what, {5: "typical-one-cuts"})
    row = np.full(8, 2.0)
    for part in (4, 2):
        got, what = student.typical(row, part / 8), f"typical of 8 equal logits, p = {part / 8}"
        if np.shape(got) == (8,) and len(alive(got)) == part and not divides(student, 8):
            continue
        tags = {part: "typical-not-strict"}
        count_agrees(got, row, part + 1, what, tags)


@check(hole="typical", points=1, title="what is ruled out does not matter", visibility="hidden")
@reads_softmax
def typical_ruled_out(student, rng):
    # One token has nearly all the probability, and so nearly the entropy: it alone is typical.
    row = only(logits_of(rng, 8, 0.5), [1, 2, 4, 5, 6])
    row[6] = row.max() + 6
    got = student.typical(row, 0.5)
    tags = dict.fromkeys((-1, *range(2, 9)), "typical-ruled-out") | {0: "typical-none-left"}
    count_agrees(got, row, 1, "typical of a row with -inf", tags)


@check(hole="typical", points=0.5, title="float16 in, float32 or float64 out, always a copy")
@reads_softmax
def typical_contract(student, rng):
    contract(student, "typical", firm_row(rng, "typical", 0.5), 0.5)
    contract(student, "typical", logits_of(rng, 8), 1.0, off=True)


# penalties ---------------------------------------------------------------------------------------


@check(hole="penalties", points=1, title="repeat makes every said token less likely")
def penalties_repeat(student, rng):
    row = logits_of(rng, 8)
    order = np.argsort(row)
    said = rng.permutation(np.concatenate([order[:3], order[-3:]])).tolist()
    for repeat in (float(rng.uniform(1.3, 2)), 0.7):
        what = f"penalties with repeat = {repeat:.3g}"
        near = mistakes.REPEAT
        agrees(student, "penalties", row, said, 64, repeat, 0.0, 0.0, what=what, near=near)
    example = np.array([2.0, -2.0, 0.0, 1.0])
    agrees(student, "penalties", example, [0, 1, 2], 64, 2.0, what="the example", near={})
    agrees(student, "penalties", row, [], 64, 1.5, what="penalties, nothing said", near={})


@check(hole="penalties", points=1, title="frequency counts, the others do not", visibility="hidden")
def penalties_counts(student, rng):
    row = np.abs(logits_of(rng, 7)) + 3  # what becomes of negative ones is asked elsewhere
    a, b, c = (int(i) for i in rng.permutation(7)[:3])
    history = [a, b, a, c, a, b]
    repeat, frequency, presence = 1.5, float(rng.uniform(0.2, 0.4)), float(rng.uniform(0.6, 0.9))
    for values in ((1.0, frequency, presence), (repeat, frequency, presence)):
        what = "repeat {:.3g}, frequency {:.3g}, presence {:.3g}".format(*values)
        near = mistakes.COUNTS | mistakes.REPEAT
        agrees(student, "penalties", row, history, 64, *values, what=what, near=near)


@check(hole="penalties", points=1, title="of the last last_n; 0 none, -1 all", visibility="hidden")
def penalties_last_n(student, rng):
    row, history = logits_of(rng, 9), [int(i) for i in rng.permutation(9)]
    added = {"penalty-added": mistakes.COUNTS["penalty-added"]}
    tables = (3, mistakes.WINDOW), (2, mistakes.WINDOW), (0, mistakes.NONE_OF_THEM)
    # Each was said once, and repeat is off: only who is looked at matters.
    for last_n, near in (*tables, (-1, mistakes.ALL_OF_THEM)):
        what = f"last_n = {last_n} of 9 tokens said"
        values = last_n, 1.0, 0.0, 0.5
        agrees(student, "penalties", row, history, *values, what=what, near=near | added)
    values = 6, 1.0, 0.0, 0.5
    what = "last_n = 6 of 4 tokens said"
    agrees(student, "penalties", row, history[:4], *values, what=what, near=added)


@check(hole="penalties", points=0.5, title="float16 in, float32 or float64 out, always a copy")
def penalties_contract(student, rng):
    said = [0, 1, 2]
    contract(student, "penalties", logits_of(rng, 6), said, 2, 1.5, 0.0, 0.0, free=said)
    contract(student, "penalties", logits_of(rng, 6), [], 64, 1.5, off=True)
