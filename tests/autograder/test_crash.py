"""kill -9 of the grader at any moment and the same command again: the same gradebook."""

from __future__ import annotations

import importlib.util
import random
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 3  # bench/grade_crash.py has more


@pytest.fixture(scope="module")
def crash():
    spec = importlib.util.spec_from_file_location("crash", ROOT / "bench" / "grade_crash.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_killed_grader_goes_on_to_the_gradebook_of_an_undisturbed_one(
    crash, tmp_path, tiny, tiny_course
):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    begun = crash.make_class(tmp_path / "begun", tiny, 10)
    whole = crash.copy(begun, tmp_path / "whole")
    seconds = crash.run(crash.command(whole, tiny_course.root, tiny))
    want = crash.facts(whole, tiny)
    assert len(want["records"]) == 10
    assert any(line.startswith("grade: ") and '"auto_score": 3.0' in line
               for line in want["gradebook"])  # fmt: skip
    for trial in range(TRIALS):
        room = crash.copy(begun, tmp_path / f"trial{trial}")
        after = chance.uniform(0, seconds)
        crash.killed_and_resumed(crash.command(room, tiny_course.root, tiny), after, room)
        different = crash.differences(want, crash.facts(room, tiny))
        assert not different, f"killed after {after:.3f} s (seed {seed})"


def test_the_comparison_sees_a_changed_score(crash, tmp_path, tiny, tiny_course):
    """It would be worth nothing if it saw nothing."""
    import sqlite3

    room = crash.make_class(tmp_path / "room", tiny, 2)
    crash.run(crash.command(room, tiny_course.root, tiny))
    before = crash.facts(room, tiny)
    with sqlite3.connect(room / "gradebook.db") as db:
        db.execute("UPDATE grade SET auto_score = auto_score + 1 WHERE rowid = 1")
    db.close()
    assert len(crash.differences(before, crash.facts(room, tiny))) == 2
