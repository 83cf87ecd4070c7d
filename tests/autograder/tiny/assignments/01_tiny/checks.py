"""Checks of the tiny course."""

import numpy as np
from meaning import center as wanted

from autograder.checks import check, close, equal, expect_dtype


@check(hole="center", points=2, title="the mean of each row is taken off")
def center_rows(student, rng):
    x, w = rng.normal(size=(3, 4)) + 5, rng.normal(size=4) + 3
    return close(
        student.center(x, w),
        wanted(x, w),
        rtol=1e-9,
        atol=1e-12,
        near={
            "no-mean": x * w,
            "wrong-axis": lambda: (x - x.mean(0)) * w,
            "no-weight": lambda: wanted(x, np.ones(4)),
        },
        what="center(x, weight)",
    )


@check(hole="center", points=1, title="float32 stays float32")
def center_dtype(student, rng):
    x = rng.normal(size=(2, 4)).astype(np.float32)
    expect_dtype(student.center(x, x[0]), np.float32, "center(float32)")


@check(hole="Tally", points=2, title="counts add up", visibility="hidden")
def tally_counts(student, rng):
    tally = student.Tally()
    for name, n in zip("abcab", rng.integers(1, 4, 5), strict=True):
        tally.add(name, int(n))
    tally.add("z", 100)
    return equal(tally.most(), "z", near={"first-name": "a"}, what="most()")


@check(hole="Tally", points=1, title="of equals the first")
def tally_ties(student, rng):
    tally = student.Tally()
    tally.add("x")
    tally.add("y", 2)
    tally.add("x")
    return equal(tally.most(), "x", near={"last-of-equals": "y"}, what="most()")
