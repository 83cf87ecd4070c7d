"""verify is satisfied with a sound bank and names each thing that is off in another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder import catalog, grade, verify

TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="module")
def backend():
    return grade.sandbox.choose().name


@pytest.fixture(scope="module")
def matrix(tiny, backend):
    return verify.verify(tiny, backend, seeds=5, jobs=2)


def test_a_sound_bank_is_sound(matrix):
    assert [(r.name, r.problems) for r in matrix.rows if r.problems] == []
    assert matrix.problems == ()
    assert matrix.sound


def test_the_kill_matrix_has_every_solution_and_every_check(matrix, tiny):
    assert [r.kind for r in matrix.rows] == [
        "reference",
        *["alternate"] * 3,
        *["wrong"] * 5,
        "stub",
    ]
    rows = {r.name: r for r in matrix.rows}
    assert rows["no_mean"].tags == dict.fromkeys(matrix.checks, "") | {"center_rows": "no-mean"}
    assert rows["reference"].points == tiny.max_points
    assert rows["stub"].points == 0


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory, backend):
    """The matrix of a bank in which many things are off."""
    root = tmp_path_factory.mktemp("spoilt") / "c"
    shutil.copytree(TINY, root)
    folder = root / "solutions" / "01_tiny"

    def change(name, old, new):
        path = folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    change("wrong/no_mean.py", "no-mean", "no-weight")
    change("wrong/wrong_axis.py", '{"center_rows": "wrong-axis"}', "{}")
    change("wrong/float64.py", '"center_dtype"', '"center_type"')
    change("wrong/last_of_equals.py", "reversed(self.counts)", "self.counts")
    change("wrong/first_name.py", '"""The first name counts."""', "")
    change("alternates/loops.py", "row *= weight", "row *= 2 * weight")
    (folder / "alternates" / "tally_3.py").unlink()
    hints = root / "assignments" / "01_tiny" / "hints.yaml"
    kept = [line for line in hints.read_text().splitlines() if not line.startswith("first-name")]
    hints.write_text("\n".join(kept))
    exploits = root / "tests" / "autograder" / "exploits"
    exploits.mkdir(parents=True)
    cheat = (folder / "reference.py").read_text().partition("class Tally")[0]
    (exploits / "cheats.py").write_text("HONEST = 0\n" + cheat)
    (exploits / "works.py").write_text("HONEST = 3\n" + cheat)
    (exploits / "dies.py").write_text("def center(x, weight):\n    import os\n    os._exit(0)\n")
    (exploits / "elsewhere.py").write_text("def rope(): pass\n")
    assignment = catalog.find_course(root).assignment("1")
    matrix = verify.verify(assignment, backend, seeds=2, jobs=2)
    assert not matrix.sound
    off = {r.name: " | ".join(r.problems) for r in matrix.rows}
    return off | {"": " | ".join(matrix.problems)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reference", ""),
        ("no_mean", "center_rows: tag no-mean, want no-weight"),
        ("wrong_axis", "names no check that it fails"),
        ("wrong_axis", "center_rows: fails with wrong-axis, want a pass"),
        ("float64", "center_type: there is no such check"),
        ("float64", "center_dtype: fails with wrong-dtype, want a pass: center(float32): got"),
        ("last_of_equals", "tally_ties: passes, want last-of-equals"),
        ("first_name", "docstring does not say the idea"),
        ("loops", "center_rows: fails with wrong-value, want a pass"),
        ("", "tally_ties: no wrong submission fails it"),
        ("", "tag first-name: not in hints.yaml"),
        ("", "2 alternates, want at least 3"),
        ("tally_2", ""),
        ("stub", ""),
        ("cheats", "3 points, honest are 0: center_rows, center_dtype"),
        ("works", ""),
        ("dies", ""),
    ],
)
def test_each_thing_that_is_off_is_named(spoilt, name, words):
    assert words in spoilt[name]
    assert bool(words) == bool(spoilt[name])


def test_an_exploit_of_another_assignment_is_left_out(spoilt):
    assert "elsewhere" not in spoilt


def test_an_honest_submission_disturbed_by_an_exploit_is_off(tiny, backend, monkeypatch):
    trial = verify.Trial(tiny.root, tiny.id, backend)
    exploit = verify.Solution("x", "exploit", "", {}, {"center": ""}, {"center": ""})
    disturbed = [grade.missing(c, "", "killed") for c in tiny.checks[:2]]
    monkeypatch.setattr(trial, "_judge", lambda *args: disturbed)
    row = trial._exploit(exploit)
    assert row.problems[0] == "center_rows: the reference after it fails: killed"


def test_a_stub_that_passes_a_check_is_off(tiny):
    rows = [grade.missing(tiny.checks[0], "")]
    passed = grade.Result(**{**rows[0].to_dict(), "status": "passed", "points": 2.0})
    assert verify.problems(tiny.stub(), rows) == []
    assert verify.problems(tiny.stub(), [passed]) == ["center_rows: the stub passes"]


def test_a_lost_worker_is_off(tiny, backend, monkeypatch):
    def lose(trial, items, **_):
        for n, item in enumerate(items):
            yield verify.scale.Done(n, item, None, "the grading process ended", 2)

    monkeypatch.setattr(verify.scale, "imap", lose)
    matrix = verify.verify(tiny, backend)
    assert not matrix.sound
    assert matrix.rows[0].problems == ("the grading process ended",)


def test_a_solution_may_take_longer_on_more_draws():
    few, many = verify.limits(1), verify.limits(100)
    assert few.total_s == verify.LEAST_S
    assert many.total_s == many.cpu_s == 100 * verify.SEED_S > verify.LEAST_S
