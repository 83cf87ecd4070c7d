"""The steps from a loop in Python to the engine's kernel: each is right before it is timed."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from course.experiments import ladder


@pytest.fixture(scope="module")
def small():
    return ladder.product(256, 128)


def test_every_step_is_right_and_the_integers_have_the_same_bits(small):
    raw, x = small
    weights, rounded = ladder.FORM.dequantize(raw[: ladder.N_NAIVE]), []
    for step in ladder.steps(raw, x):
        step.call()
        assert ladder.error(step, weights, x) <= ladder.ALLOWED, step.name
        if step.rounds:
            rounded.append(step.out)
    assert rounded
    assert all(np.array_equal(out, rounded[0]) for out in rounded)


def test_what_is_timed_is_counted_up_to_all_rows(small):
    rungs = ladder.climb(*small, seconds=lambda step: 2.0)
    assert rungs[0].ms == 2000 * 256 / ladder.N_NAIVE
    assert {r.ms for r in rungs[1:]} == {2000}
    assert rungs[-1].gbs == pytest.approx(1e-9 * small[0].size / 2)


def test_a_step_that_is_wrong_is_not_timed(small, monkeypatch):
    right, timed = ladder.steps(*small), []
    wrong = dataclasses.replace(right[2], call=lambda: right[2].out.fill(1))
    monkeypatch.setattr(ladder, "steps", lambda raw, x: [right[0], wrong])
    with pytest.raises(ValueError, match=re.escape(right[2].name)):
        ladder.climb(*small, seconds=lambda step: timed.append(step.name) or 1.0)
    assert timed == [right[0].name]


def test_the_chart_names_every_step_and_the_speed_of_memory(small):
    rungs = ladder.climb(*small, seconds=lambda step: 1.0)
    drawing = ladder.draw(rungs, 12.5)
    for rung in rungs:
        assert rung.name in drawing.svg
        assert rung.name in drawing.alt
    assert "memory 12.5 GB/s" in drawing.alt
