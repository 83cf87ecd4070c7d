"""Checks of assignment 4: values, memory and traffic of seven kernels.

Owns: what is asked of which kernel, on which sizes, within which tolerance and bound. Must not
know: solutions, how a kernel is launched. Read before: handout.py (the contract), cases.py (inputs
and near misses), autograder/kernel_checks.py.

Every check launches on inputs of its own. A kernel whose values are right and whose memory is not
loses the points of one check, and the other way round.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cases

import cudasim
from autograder import kernel_checks
from autograder.checks import check
from autograder.kernel_checks import clean, values
from autograder.kernels import Case
from cudasim import judging
from minengine import formats, oracle

JUDGES = (cudasim, formats, judging, oracle)  # a result depends on what stands there
# How many times the least may cross the bus; the handout says so, and a test that it does.
MOST = {
    "scale_add": 1.25,
    "rms_norm": 2.5,
    "softmax": 2.6,
    "matmul": 1.4,
    "matvec_q8_0": 4.0,
    "matvec_q4_0": 8.0,
    "attention": 1.4,
}
TD, HE = ("row", "place"), ("head", "dimension")


def frugal(student: Any, hole: str, case: Case, tag: str) -> None:
    """Require at most ``MOST`` times the bytes that have to cross the bus."""
    kernel_checks.frugal(student, hole, case, MOST[hole], tag)


# 1. scale_add -------------------------------------------------------------------------------------


@check(hole="scale_add", points=1, title="out = a x + y, for any n")
def scale_add_values(student, rng):
    sizes = 1, int(rng.integers(257, 400)), 256
    values(student, "scale_add", *(cases.scale_add(rng, n) for n in sizes), axes=("place",))


@check(hole="scale_add", points=1, title="nothing outside the arrays is touched")
def scale_add_clean(student, rng):
    clean(student, "scale_add", *(cases.scale_add(rng, n) for n in (1, 1000)))


@check(hole="scale_add", points=1, title="many numbers, each once", visibility="hidden")
def scale_add_many(student, rng):
    n = int(rng.integers(70_000, 80_000))
    values(student, "scale_add", cases.scale_add(rng, n), axes=("place",))
    frugal(student, "scale_add", cases.scale_add(rng, 2048), "not-coalesced")


# 2. rms_norm --------------------------------------------------------------------------------------


@check(hole="rms_norm", points=2, title="rows shorter and longer than a block")
def rms_norm_values(student, rng):
    sizes = (3, int(rng.integers(130, 250))), (2, int(rng.integers(3, 30))), (1, 1), (2, 1030)
    values(student, "rms_norm", *(cases.rms_norm(rng, *s) for s in sizes), axes=TD)


@check(hole="rms_norm", points=2, title="no race, no barrier missed, nothing outside")
def rms_norm_clean(student, rng):
    clean(student, "rms_norm", *(cases.rms_norm(rng, *s) for s in ((3, 131), (2, 33), (1, 7))))


@check(hole="rms_norm", points=1, title="eps arrives", visibility="hidden")
def rms_norm_eps(student, rng):
    values(student, "rms_norm", cases.rms_norm(rng, 2, 40, eps=float(rng.uniform(2, 4))), axes=TD)


@check(hole="rms_norm", points=1, title="neighbours read neighbours")
def rms_norm_traffic(student, rng):
    frugal(student, "rms_norm", cases.rms_norm(rng, 32, 256), "not-coalesced")


# 3. softmax ---------------------------------------------------------------------------------------


@check(hole="softmax", points=2, title="rows of any length")
def softmax_values(student, rng):
    sizes = (3, int(rng.integers(130, 250))), (2, int(rng.integers(33, 64))), (2, 5), (1, 1)
    values(student, "softmax", *(cases.softmax(rng, *s) for s in sizes), axes=TD)


@check(hole="softmax", points=2, title="no race, masks that hold, nothing outside")
def softmax_clean(student, rng):
    clean(student, "softmax", *(cases.softmax(rng, *s) for s in ((3, 131), (2, 33), (1, 7))))


@check(hole="softmax", points=1, title="far from zero, one above the rest", visibility="hidden")
def softmax_far(student, rng):
    far = float(rng.uniform(300, 900))
    asked = (cases.softmax(rng, 2, 70, low=low) for low in (far, -far))
    peaks = cases.softmax(rng, 70, 70, peak=far)
    values(student, "softmax", *asked, peaks, axes=TD)


@check(hole="softmax", points=1, title="neighbours read neighbours")
def softmax_traffic(student, rng):
    frugal(student, "softmax", cases.softmax(rng, 32, 256), "not-coalesced")


# 4. matmul ----------------------------------------------------------------------------------------


@check(hole="matmul", points=2, title="sizes that are no multiple of a tile")
def matmul_values(student, rng):
    sizes = (17, int(rng.integers(35, 47)), 33), (1, 1, 1), (5, 16, 16), (48, 20, 3)
    values(student, "matmul", *(cases.matmul(rng, *s) for s in sizes), axes=("row", "column"))


@check(hole="matmul", points=3, title="no race between tiles, nothing outside")
def matmul_clean(student, rng):
    clean(student, "matmul", *(cases.matmul(rng, *s) for s in ((17, 37, 19), (3, 21, 40))))


@check(hole="matmul", points=2, title="what was read is used 16 times")
def matmul_traffic(student, rng):
    frugal(student, "matmul", cases.matmul(rng, 32, 64, 48), "not-tiled")


# 5. and 6. the quantized products -----------------------------------------------------------------


def quantized(name: str, hole: str) -> dict[str, Any]:
    """The three checks of a quantized product."""

    @check(hole=hole, points=2, title="rows and blocks of any number")
    def right(student, rng):
        sizes = (int(rng.integers(5, 12)), 96), (1, 32), (33, 64), (2, 1024)
        values(student, hole, *(cases.matvec(rng, name, *s) for s in sizes), axes=("row",))

    @check(hole=hole, points=2, title="no race, nothing misaligned, nothing outside")
    def safe(student, rng):
        clean(student, hole, *(cases.matvec(rng, name, *s) for s in ((7, 96), (2, 1024))))

    @check(hole=hole, points=1, title="weights cross the bus in whole sectors", visibility="hidden")
    def thrifty(student, rng):
        frugal(student, hole, cases.matvec(rng, name, 32, 256), "not-coalesced")

    found = {f"{hole}_values": right, f"{hole}_clean": safe, f"{hole}_traffic": thrifty}
    return {id_: replace(c, id=id_) for id_, c in found.items()}


globals().update(quantized("Q8_0", "matvec_q8_0"))
globals().update(quantized("Q4_0", "matvec_q4_0"))


# 7. attention -------------------------------------------------------------------------------------


@check(hole="attention", points=2, title="any length, any number of heads")
def attention_values(student, rng):
    asked = (int(rng.integers(17, 30)), 4, 2, 40, 4), (1, 2, 1, 8, 4), (70, 6, 2, 128, 16)
    values(student, "attention", *(cases.attention(rng, *s) for s in asked), axes=HE)


@check(hole="attention", points=3, title="no race, nothing outside")
def attention_clean(student, rng):
    asked = (21, 4, 2, 40, 4), (3, 2, 1, 128, 8)
    clean(student, "attention", *(cases.attention(rng, *s) for s in asked))


@check(hole="attention", points=2, title="all scores far below zero", visibility="hidden")
def attention_low(student, rng):
    low = -float(rng.uniform(200, 400))
    values(student, "attention", cases.attention(rng, 37, 4, 2, 16, 8, low=low), axes=HE)


@check(hole="attention", points=1, title="keys and values cross the bus once a head")
def attention_traffic(student, rng):
    frugal(student, "attention", cases.attention(rng, 48, 4, 2, 64, 16), "cache-read-again")
