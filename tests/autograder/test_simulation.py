"""The instructors' page says what the simulation gives, and the simulation adds up."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("grade_simulation", BENCH / "grade_simulation.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["grade_simulation"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["grade_simulation"]


KNOWN = {
    "seconds": {"a": 1.0, "b": 1.0},
    "hostile_s": [10.0],
    "append_s": 0.004,
    "dispatch_s": 0.006,
    "stage2_s": 0.01,
}


def test_one_worker_takes_the_sum_of_all(bench):
    one = bench.simulated(KNOWN, 100, 1, 0.0)
    assert one.stage1_s == pytest.approx(100 * (1.0 + 0.01 + bench.NETWORK_S))
    assert one.stage2_s == pytest.approx(1.0)
    assert (one.n, one.queue) == (100, 0)


def test_a_few_workers_divide_the_time_and_many_wait_for_the_one_grader(bench):
    few, many, more = (bench.simulated(KNOWN, 10_000, w, 0.0) for w in (10, 500, 1000))
    assert few.busy > 0.95
    assert few.stage1_s == pytest.approx(10_000 / 10, rel=0.05)
    assert many.grader > 0.98  # 100 a second at most, whoever waits
    assert many.stage1_s == pytest.approx(10_000 * 0.01, rel=0.02)
    assert more.stage1_s == pytest.approx(many.stage1_s, rel=0.02)
    assert many.queue > 100


def test_hostile_ones_cost_what_was_recorded_of_them(bench):
    plain, mixed = (bench.simulated(KNOWN, 2000, 5, share) for share in (0.0, 0.5))
    assert mixed.stage1_s / plain.stage1_s == pytest.approx(5.5, rel=0.1)


def test_the_page_says_what_comes_out_of_the_recorded_numbers(bench):
    page = bench.PAGE.read_text(encoding="utf-8")
    known = json.loads(bench.RECORDED.read_text())
    for name, lines in bench.tables(known, 100_000, 0.01).items():
        assert bench.filled(page, name, lines) == page, f"{name}: grade_simulation.py --write"
