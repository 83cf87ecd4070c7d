"""A class graded in the real sandbox: marks, reruns, crashes, what a submission cannot do."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path

import pytest

from autograder import catalog, grade, sandbox, scale, score
from autograder.classroom import Classroom, secret_id
from autograder.errors import CourseError, SandboxUnavailable

TINY = Path(__file__).parent / "tiny"
LIMITS = sandbox.Limits(call_s=1.0, total_s=12.0)
EXPECTED = {
    "loops": (6, ()),
    "stub": (0, ("not-implemented",)),
    "no_mean": (4, ("no-mean",)),
    "first_name": (4, ("first-name",)),
    "exits": (3, ("killed",)),
    "hangs": (3, ("timeout",)),
    "helper": (6, ()),
    "computed": (3, ("error",)),
    "broken": (0, ("missing",)),
    "linked": (0, ("missing",)),
}
# a cell at the end of the notebook
MORE = {
    "helper": "def taken_off(x):\n    return x - x.mean(-1, keepdims=True)",
    "computed": "WAY = dict(keepdims=True)",
}


@pytest.fixture(scope="module")
def room(tmp_path_factory, tiny, tiny_sources):
    """A class of ten, not graded yet."""
    from autograder import handout

    room = Classroom(tmp_path_factory.mktemp("class"))
    room.make_secret()
    right = tiny_sources["reference"]
    head = "def center(x, weight):\n    "
    sources = {name: tiny_sources[name] for name in ("loops", "stub", "no_mean", "first_name")} | {
        "exits": {**right, "center": f"import os\n{head}os._exit(0)\n"},
        "hangs": {**right, "center": f"{head}while True: pass\n"},
        "helper": {**right, "center": f"{head}return taken_off(x) * weight\n"},
        "computed": {**right, "center": f"{head}return (x - x.mean(-1, **WAY)) * weight\n"},
        "broken": right,
        "linked": right,
    }
    for student, holes in sources.items():
        path = room.root / "submitted" / student / "01_tiny" / "01_tiny.ipynb"
        path.parent.mkdir(parents=True)
        notebook = handout.fill(tiny.handout, holes)
        if more := MORE.get(student):
            notebook.cells.append({"cell_type": "code", "source": more, "metadata": {}})
        path.write_text(json.dumps(notebook)[: 300 if student == "broken" else None])
        if student == "linked":
            real = path.rename(path.with_name("elsewhere.txt"))
            path.symlink_to(real)
    return room


@pytest.fixture(scope="module")
def summary(room, tiny):
    return grade.grade(room, tiny, jobs=2, limits=LIMITS)


@pytest.fixture(scope="module")
def marks(room, tiny, summary):
    return {m.student: m for m in grade.marks(room, tiny.id)}


def test_everybody_gets_the_marks_of_their_holes(summary, marks):
    assert {s: (m.points, m.tags) for s, m in marks.items()} == EXPECTED
    assert (summary.graded, summary.reused, summary.lost) == (10, 0, ())
    assert summary.sandbox != "none"


def test_a_hole_that_kills_its_process_leaves_the_others_their_marks(marks):
    for student in ("exits", "hangs"):
        assert marks[student].holes == {"center": (0, 3), "Tally": (3, 3)}


def test_what_was_odd_is_noted(marks):
    notes = {s: " ".join(m.notes) for s, m in marks.items()}
    assert "broken JSON" in notes["broken"]
    assert "symbolic link" in notes["linked"]
    assert notes["helper"] == "taken_off: taken from cell 7, which is no task's cell"
    assert "WAY is defined in cell 7, which is no task's cell and is not run" in notes["computed"]
    assert notes["loops"] == ""


def test_a_rerun_is_free_a_change_is_graded_and_force_grades_all(room, tiny, marks, tiny_sources):
    from autograder import handout

    def points(students):
        return {m.student: m.points for m in grade.marks(room, tiny.id, students)}

    again = grade.grade(room, tiny, jobs=2, limits=LIMITS)
    assert (again.graded, again.reused) == (0, 10)
    assert {m.student: m for m in grade.marks(room, tiny.id)} == marks
    path = room.root / "submitted" / "stub" / "01_tiny" / "01_tiny.ipynb"
    before = path.read_text()
    path.write_text(json.dumps(handout.fill(tiny.handout, tiny_sources["reference"])))
    changed = grade.grade(room, tiny, jobs=1, limits=LIMITS, students="[sl]*")
    assert (changed.graded, changed.reused) == (1, 2)
    assert points("[sl]*") == {"stub": 6, "loops": 6, "linked": 0}
    path.write_text(before)
    forced = grade.grade(room, tiny, jobs=1, limits=LIMITS, students="[sl]*", force=True)
    assert (forced.graded, forced.reused) == (3, 0)
    assert points("[sl]*") == {"stub": 0, "loops": 6, "linked": 0}


def test_a_changed_check_alone_is_run_again_for_everybody(tmp_path, tiny_sources, write_notebook):
    course = Path(shutil.copytree(TINY, tmp_path / "course"))
    room = Classroom(tmp_path / "class")
    room.make_secret()
    for student in ("loops", "stub", "no_mean"):
        path = room.root / "submitted" / student / "01_tiny" / "01_tiny.ipynb"
        write_notebook(path, tiny_sources[student])

    def graded():
        grade.loaded.cache_clear()
        assignment = catalog.find_course(course).assignment("1")
        summary = grade.grade(room, assignment, jobs=1, limits=LIMITS)
        records = {r["student"]: r for r in room.results("01_tiny")}
        return (summary.graded, summary.reused, summary.ran), records

    ran, before = graded()
    assert ran == (3, 0, 12)
    assert graded()[0] == (0, 3, 0)
    checks = course / "assignments" / "01_tiny" / "checks.py"
    text = checks.read_text()
    checks.write_text(text.replace('points=1, title="float32', 'points=5, title="float32'))
    ran, after = graded()
    assert ran == (3, 0, 3)
    assert graded()[0] == (0, 3, 0)
    for student, record in after.items():
        rows = {r["check"]: r for r in record["results"]}
        for old in before[student]["results"]:
            same = rows[old["check"]] == old
            assert same == (old["check"] != "center_dtype")
        assert rows["center_dtype"]["max_points"] == 5
    marks = {m.student: m.points for m in grade.marks(room, "01_tiny")}
    assert marks == {"loops": 10, "stub": 0, "no_mean": 8}
    assert len(room.results("01_tiny").path.read_text().splitlines()) == 6


def test_a_record_of_before_results_had_keys_is_read_and_made_anew(room, tiny, summary):
    known = room.results(tiny.id)
    old = known.get("loops")
    for row in old["results"]:
        del row["key"]
    del old["ran"]
    known.append({**old, "key": "of another version"})
    assert next(grade.marks(room, tiny.id, "loops")).points == 6
    again = grade.grade(room, tiny, jobs=1, limits=LIMITS, students="loops")
    assert (again.graded, again.ran) == (1, 4)


def test_a_regrade_gives_the_same_facts(room, tiny, summary):
    """Inputs follow from the secret, so nothing but the seconds may differ."""

    def facts(record):
        rows = [{**r, "seconds": 0} for r in record["results"]]
        return {**record, "seconds": 0, "results": rows}

    before = {r["student"]: facts(r) for r in room.results(tiny.id) if r["student"] != "stub"}
    grade.grade(room, tiny, jobs=1, limits=LIMITS, students="[lnf]*", force=True)
    for record in room.results(tiny.id):
        if record["student"] in ("loops", "no_mean", "first_name"):
            assert facts(record) == before[record["student"]]


def test_records_hold_no_secret_and_a_hidden_check_no_values(room, summary, tiny):
    text = room.results(tiny.id).path.read_text()
    assert room.secret().hex() not in text
    record = room.results(tiny.id).get("first_name")
    row = next(r for r in record["results"] if r["check"] == "tally_counts")
    assert row["message"] == "fails on inputs that are not shown"
    assert row["replay"].startswith("autograder check 01_tiny.ipynb --only tally_counts --seed ")


def test_stopping_keeps_what_is_finished_and_the_next_run_does_the_rest(
    tmp_path, tiny, tiny_sources, write_notebook
):
    room = Classroom(tmp_path)
    room.make_secret()
    for student in "abcd":
        path = tmp_path / "submitted" / student / tiny.id / f"{tiny.id}.ipynb"
        write_notebook(path, tiny_sources["reference"])

    def stop(student, n, of):
        assert of == 4
        if n == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade.grade(room, tiny, jobs=1, progress=stop)
    assert len(room.results(tiny.id)) == 2
    rest = grade.grade(room, tiny, jobs=1)
    assert (rest.graded, rest.reused) == (2, 2)
    assert [m.points for m in grade.marks(room, tiny.id)] == [6, 6, 6, 6]


def test_a_submission_given_up_is_marked_and_tried_again_next_time(
    tmp_path, tiny, tiny_sources, write_notebook, monkeypatch
):
    room = Classroom(tmp_path)
    room.make_secret()
    path = tmp_path / "submitted" / "ann" / tiny.id / f"{tiny.id}.ipynb"
    write_notebook(path, tiny_sources["reference"])

    def lose(function, items, **_):
        yield scale.Done(0, next(items), None, "the grading process ended (code -9)", 2)

    with monkeypatch.context() as patch:
        patch.setattr(scale, "imap", lose)
        lost = grade.grade(room, tiny)
    (mark,) = grade.marks(room, tiny.id)
    assert (lost.lost, mark.points) == (("ann",), 0)
    assert "look at this notebook by hand" in mark.notes[0]
    grade.grade(room, tiny, jobs=1)
    assert next(grade.marks(room, tiny.id)).points == 6


def test_nothing_is_graded_where_the_sandbox_does_not_hold(room, tiny, monkeypatch):
    monkeypatch.setattr(sandbox, "self_attack", lambda backend: ["read-gradebook"])
    with pytest.raises(SandboxUnavailable, match="read-gradebook got through"):
        grade.grade(room, tiny)


def test_where_no_sandbox_works_only_the_explicit_wish_grades_and_it_is_stamped(
    tmp_path, tiny, tiny_sources, write_notebook, monkeypatch
):
    room = Classroom(tmp_path)
    room.make_secret()
    path = tmp_path / "submitted" / "ann" / tiny.id / f"{tiny.id}.ipynb"
    write_notebook(path, tiny_sources["no_mean"])
    monkeypatch.setattr(sandbox, "probe", lambda b: "not here" if b.sandboxed else "")
    with pytest.raises(SandboxUnavailable, match="apt-get install bubblewrap"):
        grade.grade(room, tiny)
    grade.grade(room, tiny, jobs=1, allow_unsandboxed=True)
    assert next(grade.marks(room, tiny.id)).points == 4
    assert room.results(tiny.id).get("ann")["sandbox"] == "none"


def test_an_empty_folder_or_an_unmatched_glob_is_said(room, tiny, tmp_path):
    with pytest.raises(CourseError, match=r"no submission in .*submitted/zz\*/01_tiny"):
        grade.grade(room, tiny, students="zz*")
    with pytest.raises(CourseError, match="no submission"):
        grade.grade(Classroom(tmp_path), tiny)


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path):
    room = Classroom(tmp_path)
    with pytest.raises(CourseError, match="autograder init"):
        room.secret()
    assert room.make_secret()
    secret = room.secret()
    assert len(secret) == 32
    assert not room.make_secret()
    assert room.secret() == secret
    assert stat.S_IMODE(room.secret_path.stat().st_mode) == 0o600
    assert secret.hex()[:16] != secret_id(secret)
    room.secret_path.chmod(0o644)
    with pytest.raises(CourseError, match="others may read"):
        room.secret()
    room.secret_path.chmod(0o600)
    room.secret_path.write_text("no hex")
    with pytest.raises(CourseError, match="64 hex digits"):
        room.secret()


def test_a_notebook_under_another_name_is_found_where_it_is_the_only_one(tmp_path):
    room = Classroom(tmp_path)
    for name in ("ann/01_x/01_x.ipynb", "ann/01_x/b.ipynb", "bob/01_x/mine.ipynb", "cy/02/a.ipynb"):
        path = tmp_path / "submitted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "submitted" / ".hidden" / "01_x").mkdir(parents=True)
    found = room.submissions("01_x")
    assert {s: p.name for s, p in found.items()} == {"ann": "01_x.ipynb", "bob": "mine.ipynb"}


def test_a_submission_without_any_hole_starts_no_sandbox(tiny, monkeypatch):
    monkeypatch.setattr(sandbox, "Student", None)
    rows = grade.judge(tiny, {}, grade.Seeds(), None)
    assert {r.status for r in rows} == {"missing"}
    record = {"student": "a", "sandbox": "s", "notes": [], "results": [r.to_dict() for r in rows]}
    assert score.mark(record).max_points == 6
