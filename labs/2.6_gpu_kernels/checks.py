"""Checks of lab 2.6: predictions, values and memory of four kernels, counts made again.

Owns: the list. Must not know: solutions, how a kernel is launched. Read before: the handout (the
contract), cases.py (inputs and near misses), autograder/kernel_checks.py,
course/experiments/kernels.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd
from typing import Any

import cases
import numpy as np

from autograder import kernel_checks, kernels
from autograder.checks import CheckFailed, check, equal
from autograder.kernel_checks import clean, frugal, values
from autograder.kernels import Case
from course.experiments import kernels as experiment
from cudasim import judging
from minengine import oracle

# a result depends on what stands there
JUDGES = (kernel_checks, kernels, experiment, judging, oracle)


def chosen(student: Any) -> dict[str, Any]:
    """The student's choices, each in the bounds that may be measured here."""
    got = student.choices()
    if not isinstance(got, Mapping) or set(got) != {"strides", "lengths", "seed"}:
        raise CheckFailed("choices-form", "want a dict with strides, lengths and seed")
    for name, n, most in (("strides", 6, 64), ("lengths", 5, 600)):
        rows = got[name]
        if not isinstance(rows, list | tuple) or not all(type(r) is int for r in rows):
            raise CheckFailed("choices-form", f"{name}: got {rows!r:.80}, want a list of ints")
        if len(rows) != n or len(set(rows)) != n or not all(1 <= r <= most for r in rows):
            text = f"{name}: got {list(rows)!r:.80}, want {n} different numbers from 1 to {most}"
            raise CheckFailed("choices-size", text)
    strides, lengths = got["strides"], got["lengths"]
    if not (any(s % 2 for s in strides) and any(s & (s - 1) == 0 for s in strides)):
        raise CheckFailed("choices-size", "strides: want an odd one and a power of two among them")
    if not min(lengths) < 32 or not max(lengths) > 300:
        raise CheckFailed("choices-size", "lengths: want one below 32 and one above 300")
    seed = got["seed"]
    if type(seed) is not int or not 0 <= seed <= 10**6:
        raise CheckFailed("choices-form", f"seed: got {seed!r:.40}, want a number to a million")
    return dict(got)


def noted(student: Any, name: str) -> Any:
    """One of the measured values."""
    got = student.findings()
    if not isinstance(got, Mapping) or name not in got:
        raise CheckFailed("measured-missing", f"findings() has no {name!r}: run `lab report`")
    return got[name]


@check(hole="choices", points=1, title="what is measured, in the bounds asked for")
def choices_bounds(student, rng):
    chosen(student)


# 2. predictions -----------------------------------------------------------------------------------


def right_sectors(stride: int) -> int:
    """Sectors that have one of a warp's floats."""
    return len({4 * stride * t // 32 for t in range(32)})


@check(hole="sectors", points=1, title="small strides and large ones")
def sectors_values(student, rng):
    for stride in (int(rng.integers(2, 7)), 1, int(rng.integers(9, 64)), 8):
        near = {
            "sectors-each-its-own": 32,
            "sectors-without-end": 4 * stride,
            "sectors-of-neighbours": 4,
        }
        near = {tag: v for tag, v in near.items() if v != right_sectors(stride)}
        got = student.sectors(stride)
        equal(got, right_sectors(stride), near=near, what=f"sectors({stride})")


@check(hole="ways", points=1, title="powers of two, odd ones, and what lies between")
def ways_values(student, rng):
    odd, even = 2 * int(rng.integers(1, 30)) + 1, 6 * int(rng.integers(1, 5))
    for stride in (odd, even, 16, 64):
        right = gcd(stride, 32)
        near = {
            "ways-the-stride": min(stride, 32),
            "ways-two-or-one": 1 if stride % 2 else 2,
        }
        near = {tag: v for tag, v in near.items() if v != right}
        equal(student.ways(stride), right, near=near, what=f"ways({stride})")


@check(hole="ways", points=1, title="all threads at one place", visibility="hidden")
def ways_same_place(student, rng):
    equal(student.ways(0), 1, near={"ways-same-place": 32}, what="ways(0)")


# 3. to 6. the kernels -----------------------------------------------------------------------------


@check(hole="penalize", points=2, title="every use counts, padding does not")
def penalize_values(student, rng):
    sizes = (int(rng.integers(260, 400)), 90), (7, 200), (1, 1)
    asked = (cases.penalize(rng, *s) for s in sizes)
    values(student, "penalize", *asked, axes=("token",))


@check(hole="penalize", points=2, title="no counter that is lost, unset or not there")
def penalize_clean(student, rng):
    clean(student, "penalize", *(cases.penalize(rng, *s) for s in ((270, 150), (3, 64))))


@check(hole="penalize", points=1, title="the history is not read for every token")
def penalize_traffic(student, rng):
    frugal(student, "penalize", cases.penalize(rng, 1024, 256), 3, "history-read-again")


@check(hole="rotate", points=2, title="pairs, angles, heads")
def rotate_values(student, rng):
    sizes = (5, 3, 2 * int(rng.integers(5, 30))), (1, 1, 2), (9, 2, 64)
    values(student, "rotate", *(cases.rotate(rng, *s) for s in sizes), axes=cases.THE)


@check(hole="rotate", points=1, title="one token, far from the beginning", visibility="hidden")
def rotate_decoding(student, rng):
    case = cases.rotate(rng, 1, 4, 16, far=int(rng.integers(50, 90)))
    values(student, "rotate", case, axes=cases.THE)


@check(hole="rotate", points=1, title="nothing outside the arrays is touched")
def rotate_clean(student, rng):
    clean(student, "rotate", *(cases.rotate(rng, *s) for s in ((3, 3, 10), (1, 1, 2))))


@check(hole="rotate", points=1, title="neighbours read neighbours")
def rotate_traffic(student, rng):
    frugal(student, "rotate", cases.rotate(rng, 16, 2, 64), 1.7, "not-coalesced")


@check(hole="round_q8", points=2, title="blocks of 32, whole and not")
def round_q8_values(student, rng):
    sizes = 32 * int(rng.integers(5, 9)) + int(rng.integers(1, 32)), 7, 64
    values(student, "round_q8", *(cases.round_q8(rng, n) for n in sizes), axes=("place",))


@check(hole="round_q8", points=2, title="masks that hold, nothing outside")
def round_q8_clean(student, rng):
    clean(student, "round_q8", *(cases.round_q8(rng, n) for n in (131, 37)))


@check(hole="round_q8", points=1, title="a block of zeros", visibility="hidden")
def round_q8_zeros(student, rng):
    case = cases.round_q8(rng, 96, zero=int(rng.integers(0, 3)))
    values(student, "round_q8", case, axes=("place",))


@check(hole="round_q8", points=1, title="each number crosses the bus once")
def round_q8_traffic(student, rng):
    frugal(student, "round_q8", cases.round_q8(rng, 2048), 1.6, "not-coalesced")


@check(hole="cumulate", points=2, title="rows shorter and longer than a block")
def cumulate_values(student, rng):
    sizes = (2, int(rng.integers(1030, 1100))), (3, int(rng.integers(3, 30))), (1, 1), (2, 130)
    values(student, "cumulate", *(cases.cumulate(rng, *s) for s in sizes), axes=cases.TV)


@check(hole="cumulate", points=3, title="no race, no barrier missed, nothing outside")
def cumulate_clean(student, rng):
    clean(student, "cumulate", *(cases.cumulate(rng, *s) for s in ((2, 301), (2, 33), (1, 5))))


@check(hole="cumulate", points=1, title="each number crosses the bus once", visibility="hidden")
def cumulate_traffic(student, rng):
    frugal(student, "cumulate", cases.cumulate(rng, 8, 512), 1.7, "read-again")


# 8. what was measured -----------------------------------------------------------------------------


def same(got: Any, want: Mapping[Any, Any], what: str) -> None:
    """Equal counts under equal names."""
    rows = {str(k): v for k, v in got.items()} if isinstance(got, Mapping) else {}
    if set(rows) != {str(k) for k in want}:
        raise CheckFailed("measured-form", f"{what}: want {', '.join(map(str, want))}")
    for key, value in want.items():
        if rows[str(key)] != value:
            text = f"{what}, {key}: got {rows[str(key)]!r:.80}, counted again {value!r:.80}"
            raise CheckFailed("measured-other", text)


@check(hole="findings", points=2, title="sectors and banks of your strides, counted again")
def findings_strides(student, rng):
    strides = chosen(student)["strides"]
    same(noted(student, "sectors"), {s: right_sectors(s) for s in strides}, "sectors")
    same(noted(student, "ways"), {s: gcd(s, 32) for s in strides}, "ways")


@check(hole="findings", points=3, title="what your own kernels cost, counted again")
def findings_costs(student, rng):
    picked, got = chosen(student), noted(student, "costs")
    lengths = sorted(picked["lengths"])
    if not isinstance(got, Mapping) or set(got) != set(experiment.TASKS):
        raise CheckFailed("measured-form", f"costs: want {', '.join(experiment.TASKS)}")
    for name, rows in got.items():
        if not isinstance(rows, Sequence) or len(rows) != len(lengths):
            raise CheckFailed("measured-form", f"costs, {name}: want {len(lengths)} rows")
        want = costs(student, name, lengths, picked["seed"])
        same(dict(zip(lengths, map(plain, rows), strict=True)), want, f"costs, {name}")


def plain(row: Any) -> Any:
    return list(row) if isinstance(row, list | tuple) else row


def costs(student: Any, name: str, lengths: Sequence[int], seed: int) -> dict[int, list[int]]:
    """Length -> what the student's kernel moves, its barriers and bank conflicts."""
    asked = []
    for length in lengths:
        one = experiment.measured(name, length, seed)
        want = np.asarray(one.arguments[one.output])
        asked.append(Case(one.sizes, one.arguments, one.output, want, {}, one.least_bytes))
    found = {}
    for length, said in zip(lengths, kernels.launch(student, name, asked), strict=True):
        moved = sum(sum(two) for two in said["traffic"].values())
        found[length] = [int(moved), *map(int, said["counts"])]
    idle = [n for n, case in zip(lengths, asked, strict=True) if 2 * found[n][0] < case.least_bytes]
    if idle:  # what costs nothing does nothing, and is no measurement
        text = f"costs, {name}, {idle[0]}: the kernel moves {found[idle[0]][0]} bytes"
        raise CheckFailed("nothing-done", text)
    return found
