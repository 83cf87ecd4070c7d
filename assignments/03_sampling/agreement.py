"""How a student's row or token is compared with the right one, and a mistake is named.

Owns: tolerances, the sentence that says which tokens are left, what every filter's contract asks.
Must not know: points, hidden or not, solutions. Read before: dense.py, mistakes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import mistakes
import numpy as np
from dense import WANT, alive, firm, logits_of

from autograder.checks import CheckFailed, close, expect_dtype, expect_shape, require
from minengine import oracle

# A logit that is kept is kept as it is; one that is divided is rounded once in float32 (6e-8).
ROW = {"rtol": 1e-5, "atol": 1e-5, "axes": ("token",)}
FLOATS = [np.float32, np.float64]
ROUGH = {"rtol": 2e-3, "atol": 2e-3}  # of float16
FINITE = 1e3  # below minus this a finite number stands for "ruled out"


def agrees(
    student: Any,
    hole: str,
    *args: Any,
    got: Any = None,
    what: str = "",
    near: Any = None,
    own: Any = None,
) -> str | None:
    """Require of ``hole(*args)`` the right row; a known mistake is named by its tag."""
    got = getattr(student, hole)(*args) if got is None else got
    table = mistakes.PARTS[hole] if near is None else near
    near = {tag: partial(wrong, *args) for tag, wrong in table.items()}
    return row_agrees(got, WANT[hole](*args), near, what or shown(hole, args), own)


def row_agrees(got: Any, want: Any, near: dict, what: str, own: Any = None) -> str | None:
    """A row with -inf where a token is ruled out; a failure says which tokens are left."""
    habits = {
        "filter-gives-probabilities": lambda: oracle.softmax(want),
        "ruled-out-is-zero": lambda: np.where(np.isinf(want), 0, want),
    }
    # Of a row about to be float16 what is kept counts, not how it is rounded: that is its dtype's.
    rough = ROUGH if getattr(got, "dtype", None) == np.float16 else {}
    try:
        return close(got, want, near=near | habits, own=own, what=what, **ROW | rough)
    except CheckFailed as failed:
        tag, text = failed.tag, str(failed)
        if np.shape(got) == want.shape and tag != "wrong-type":
            row = np.asarray(got, np.float64)
            if tag in ("wrong-value", "nan") and (row[np.isinf(want)] < -FINITE).all():
                finite = np.isfinite(row[np.isinf(want)]).any()
                tag = "ruled-out-is-finite" if finite else tag
            text = kept_text(row, want, what) or text
        raise CheckFailed(tag, text) from None


def kept_text(got: np.ndarray, want: np.ndarray, what: str) -> str:
    """Which tokens are left and which should be; empty where they are the same."""
    mine, theirs = (np.flatnonzero(np.isfinite(row)).tolist() for row in (got, want))
    if mine == theirs:
        return ""
    return f"{what}: tokens left {mine or 'none'}, want {theirs}; logits after it {texts(got)}"


def texts(row: np.ndarray) -> str:
    return "[" + " ".join(f"{v:.4g}" for v in row[:12]) + (" ...]" if len(row) > 12 else "]")


def shown(hole: str, args: tuple) -> str:
    """``top_p(logits, 0.5)``: the call without its numbers."""
    values = [f"{a:.4g}" if isinstance(a, float) else str(a) for a in args[1:]]
    return f"{hole}({', '.join(['logits', *values])})"


def firm_row(rng: np.random.Generator, hole: str, *args: Any, n: int = 8) -> np.ndarray:
    """A row on which rounding decides nothing and the filter takes some, not all."""
    while True:
        row = logits_of(rng, n)
        if firm(WANT[hole], row, *args) and 1 < len(alive(WANT[hole](row, *args))) < n - 1:
            return row


def telling_row(rng: np.random.Generator, hole: str, *args: Any, n: int = 9) -> np.ndarray:
    """A firm row on which each known mistake of the hole shows, and none looks like another."""
    while True:
        row = logits_of(rng, n)
        rows = [wrong(row, *args) for wrong in mistakes.PARTS[hole].values()]
        rows.append(want := WANT[hole](row, *args))
        told = {np.round(r, 4).tobytes() for r in rows}
        if len(told) == len(rows) and 1 < len(alive(want)) < n - 1 and firm(WANT[hole], row, *args):
            return row


def contract(
    student: Any,
    hole: str,
    row: np.ndarray,
    *args: Any,
    off: bool = False,
    free: Sequence[int] = (),
) -> None:
    """float16 in, float32 or float64 out; the caller's array as it was, and no view of it.

    What the numbers are is asked elsewhere: a mistake there costs nothing here, but a row that is
    the logits again (unless the call is ``off``) or has nothing of them is no answer at all. Tokens
    of ``free`` may come anywhere.
    """
    what = f"{hole} of float16"
    got = getattr(student, hole)(row.astype(np.float16), *args)
    expect_shape(got, row.shape, what)
    same, given = np.asarray(got, np.float64), np.asarray(row.astype(np.float16), np.float64)
    idle = not off and (len(np.unique(same)) == 1 or np.array_equal(same, given))
    looked = related(same, given, free)
    require(looked and not idle, f"{what}: got {texts(same)}", "wrong-value")
    expect_dtype(got, FLOATS, what, "dtype-narrow")
    seen = student.observe(hole, row, *args)
    same = np.array_equal(seen.args_after[0], row)
    require(same, "the logits were changed in place; the caller still needs them", "input-changed")
    message = "the result shares memory with the logits: a change of one would change the other"
    require(not seen.shares_memory, message, "result-is-a-view")


def related(got: np.ndarray, row: np.ndarray, free: Sequence[int]) -> bool:
    """Do the logits show in what is left: in their order, or as values, or as both?"""
    left = (got > -FINITE) & (got < np.inf) & (got != 0)
    left[list(free)] = False
    if np.isnan(got).any():
        return False
    rising = got[left][np.argsort(row[left], kind="stable")]
    values = [np.isclose(value, row, **ROUGH).any() for value in rising]
    return bool(np.all(np.diff(rising) >= -ROUGH["atol"]) or np.all(values))


def count_agrees(got: Any, row: np.ndarray, want: int, what: str, tags: dict[int, str]) -> None:
    """Require that ``want`` tokens are left; ``tags`` names other counts. Which are left is asked
    elsewhere.
    """
    expect_shape(got, row.shape, what)
    row_is = np.asarray(got, np.float64)
    require(not np.isnan(row_is).any(), f"{what}: got {texts(row_is)}", tags.get(-1, "nan"))
    finite = ((row_is < -FINITE) & (row_is > -np.inf)).any()
    message = f"{what}: got {texts(row_is)}, want -inf for what is ruled out"
    require(not finite, message, "ruled-out-is-finite")
    n = int((row_is > -np.inf).sum())
    message = f"{what}: {n} tokens are left, want {want}; logits after it {texts(row_is)}"
    habit = bool(n == len(row) and np.isclose(row_is.sum(), 1) and (row_is >= 0).all())
    zeroes = n == len(row) and int((row_is == 0).sum()) >= len(row) - want > 0
    tag = "ruled-out-is-zero" if zeroes else tags.get(n, "wrong-value")
    tag = "filter-gives-probabilities" if habit else tag
    require(n == want, message, tag)


def refuses(student: Any, hole: str, row: np.ndarray, what: str, tag: str) -> None:
    """Require a ValueError, the student's own or NumPy's; and none for a row that is fine."""
    getattr(student, hole)(np.array([0.5, 2.0, -1.0]))
    try:
        got = getattr(student, hole)(row)
    except CheckFailed as failed:
        if failed.tag != "error":
            raise
        require("ValueError" in str(failed), f"{what}: {failed}; want a ValueError", tag)
        return
    raise CheckFailed(tag, f"{hole} of a row with {what}: got {got}, want a ValueError")


def token_agrees(got: Any, want: int, hole: str, args: tuple, what: str) -> None:
    """A token id: any kind of whole number."""
    near = {tag: partial(wrong, *args) for tag, wrong in mistakes.PARTS[hole].items()}
    close(got, want, near=near, what=f"{hole}, {what}", rtol=0, atol=0)


def divides(student: Any, n: int) -> bool:
    """Are the student's shares of n equal logits 1/n to the last bit, and their sums exact?

    By logarithms they are not, and are as right: then an edge may fall on either side.
    """
    shares = np.asarray(student.softmax(np.zeros(n)))
    return shares.shape == (n,) and bool((shares == 1 / n).all())
