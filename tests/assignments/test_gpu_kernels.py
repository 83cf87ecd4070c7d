"""Assignment 4: its handout's numbers and bounds, what is remembered of a launch.

The bank runs in test_every.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from autograder import catalog, kernels
from autograder.errors import CheckFailed
from autograder.local import LocalStudent
from minengine import oracle

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = catalog.find_course(ROOT).assignment("04_gpu_kernels")
TEXT = "\n".join(c.source for c in ASSIGNMENT.handout.cells if c.kind == "markdown")
CODE = [c.source for c in ASSIGNMENT.handout.cells if c.kind == "code"]
CHECKS = ASSIGNMENT.module


def numbers(label: str) -> list[float]:
    """The numbers of the line of a block that begins with a label."""
    line = re.search(rf"^{re.escape(label)}  +(.*)$", TEXT, re.M)[1]
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", line)]


def test_the_first_launch_gives_what_the_text_shows(capsys):
    names: dict = {}
    for source in CODE:
        exec(source, names)
    shown = capsys.readouterr().out.split("\n")
    for label, line in zip(("block", "thread"), shown, strict=False):
        assert numbers(label) == [float(n) for n in re.findall(r"\d+", line)]


def test_the_norm_by_hand():
    x = np.array([numbers("x")])
    *squares, mean = numbers("squares")
    assert squares == (x[0] ** 2).tolist()
    assert mean == np.mean(squares)
    right = oracle.rms_norm(x, np.ones(4), 0.0)[0]
    np.testing.assert_allclose(numbers("out")[:4], right, atol=5e-5)


def test_the_exchange_of_a_warp_by_hand():
    row = re.search(r"^  value +(.*)$", TEXT, re.M)[1]
    value = np.array(row.split(), int)
    for d in (4, 2, 1):
        value = np.maximum(value, value[np.arange(8) ^ d])
        shown = re.search(rf"^  max with xor {d} +(.*)$", TEXT, re.M)[1]
        assert shown.split() == [str(v) for v in value]


def test_the_online_softmax_by_hand():
    top, total, sum_ = -np.inf, 0.0, 0.0
    score, *rest = (re.search(rf"^{n}  +(.*)$", TEXT, re.M)[1] for n in ("score", "m", "l", "a"))
    rows = [[float(n) for n in re.findall(r"\d+\.\d+", line)] for line in (score, *rest)]
    for s, v, *shown in zip(rows[0], (1, 2, 3), *(r[:3] for r in rows[1:]), strict=True):
        higher = max(top, s)
        total = total * np.exp(top - higher) + np.exp(s - higher)
        sum_ = sum_ * np.exp(top - higher) + v * np.exp(s - higher)
        top = higher
        np.testing.assert_allclose(shown, [top, total, sum_], atol=5e-5)
    assert rows[3][3] == pytest.approx(sum_ / total, abs=5e-5)


def test_the_handout_says_how_much_may_cross_the_bus():
    names, _, bounds = (
        line
        for line in TEXT.splitlines()
        if line.startswith(("| `scale_add`", "| 1.25", "|---|---|---|---|---|---|---|"))
    )
    holes = re.findall(r"`(\w+)`", names)
    assert dict(zip(holes, map(float, re.findall(r"[\d.]+", bounds)), strict=True)) == CHECKS.MOST
    assert set(holes) == set(ASSIGNMENT.handout.holes)


def test_an_endless_launch_is_no_other_launchs_fault():
    """Two submissions may have one source; what one asks for with it is not the other's."""
    names: dict = {"np": np}
    source = ASSIGNMENT.reference.sources["scale_add"]
    exec(source, names)
    right, far = names["scale_add"], 2**31 - 1
    cases = CHECKS.cases
    case = cases.scale_add(np.random.default_rng(0), 300)

    def ask(function):
        return kernels.launch(LocalStudent({"scale_add": function}), "scale_add", [case])

    with pytest.raises(CheckFailed) as endless:
        ask(lambda n: (right(n)[0], far, 1024, 0))
    assert endless.value.tag == "kernel-endless"
    np.testing.assert_allclose(ask(right)[0]["output"], case.want, atol=1e-5)
