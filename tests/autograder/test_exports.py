"""Exports, each opened by something that is not ours."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import exports, finals, handout, pages, roster
from autograder.errors import CourseError
from autograder.exports import FORMATS, About
from autograder.finals import Final, Finals
from autograder.roster import Person

TINY = ["--course", str(Path(__file__).parent / "tiny")]
ID = "01_tiny"
EVIL = '=HYPERLINK("http://x","a")'
TEXT = {"type": "string"}
NUMBER = {"type": "number"}
VISIBILITY = {"enum": ["visible", "hidden", "after_due_date", "after_published"]}
TEXT_FORMAT = {"enum": ["text", "html", "simple_format", "md", "ansi"]}
# From Gradescope's autograder specification, field by field.
GRADESCOPE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["score", "tests"],
    "properties": {
        "score": NUMBER,
        "execution_time": NUMBER,
        "output": TEXT,
        "output_format": TEXT_FORMAT,
        "visibility": VISIBILITY,
        "stdout_visibility": VISIBILITY,
        "extra_data": {"type": "object"},
        "tests": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["score", "max_score", "status", "name"],
                "properties": {
                    "score": NUMBER,
                    "max_score": NUMBER,
                    "status": {"enum": ["passed", "failed"]},
                    "name": TEXT,
                    "name_format": TEXT_FORMAT,
                    "number": TEXT,
                    "output": TEXT,
                    "output_format": TEXT_FORMAT,
                    "tags": {"type": "array", "items": TEXT},
                    "visibility": VISIBILITY,
                    "extra_data": {"type": "object"},
                },
            },
        },
    },
}
# From 1EdTech's Assignment and Grade Services 2.0, section 3.4 (Score service).
LTI = {
    "type": "object",
    "additionalProperties": False,
    "required": ["userId", "timestamp", "activityProgress", "gradingProgress"],
    "dependentRequired": {"scoreGiven": ["scoreMaximum"]},
    "properties": {
        "userId": {"type": "string", "minLength": 1},
        "scoreGiven": {"type": "number", "minimum": 0},
        "scoreMaximum": {"type": "number", "exclusiveMinimum": 0},
        "comment": TEXT,
        "timestamp": {"pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)$"},
        "activityProgress": {
            "enum": ["Initialized", "Started", "InProgress", "Submitted", "Completed"]
        },
        "gradingProgress": {
            "enum": ["FullyGraded", "Pending", "PendingManual", "Failed", "NotReady"]
        },
    },
}


def row(hole, check, points, tag="", visibility="visible"):
    return {
        "check": check, "hole": hole, "title": f"about {check}", "points": 0.0 if tag else points,
        "max_points": points, "status": "failed" if tag else "passed", "tag": tag,
        "message": "got 1, want 2" if visibility == "visible" else "not shown", "hint": "h",
        "visibility": visibility, "seconds": 0.1, "note": "", "replay": "autograder check x",
    }  # fmt: skip


def record(student, tag="", sandbox="bubblewrap"):
    rows = [row("center", "rows", 2.0, tag), row("center", "dtype", 1.0)]
    rows.append(row("Tally", "counts", 3.0, tag, "hidden"))
    return {
        "key": "k", "student": student, "assignment": ID, "digest": "d", "sandbox": sandbox,
        "seconds": 1.5, "notes": ["<b>odd</b>"], "results": rows,
    }  # fmt: skip


ADA = Person("ada", "Ada", "Lovelace", "ada@x.edu", "ada", "s1", "1001", "A, B", "Participant 7")
EVE = Person("eve", EVIL, "@SUM(A1)", "eve@x.edu", "+eve", "-1+2", "1002", "\tx")
NOBODY = Person("zoe", "Zoë \N{GRINNING FACE}", 'de "la" Cruz', lms_id="1003")


def everybody(**changes):
    rows = (
        Final(ADA, 6.0, 0.0, 6.0, True, datetime(2026, 2, 1, 12), False, record("ada")),
        Final(EVE, 1.1 + 2.2, 0.5, 6.0, True, None, True, record("eve", "no-mean")),
        Final(NOBODY, 0.0, 0.0, 6.0, False),
    )
    return Finals(ID, "Tiny", 6.0, None, rows)


ABOUT = About(now=datetime(2026, 2, 3, tzinfo=UTC))
TABLES = [f for f in FORMATS.values() if f.suffix == ".csv"]
EACH = {"gradescope": GRADESCOPE, "lti": LTI}


@pytest.mark.parametrize("form", TABLES, ids=lambda f: f.name)
def test_csv_and_pandas_read_one_table_and_no_text_is_a_formula(form):
    text = form.write(everybody(), ABOUT)
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    frame = pandas.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    assert [list(frame.columns), *frame.to_numpy().tolist()] == rows
    assert {len(r) for r in rows} == {len(rows[0])}
    for cell in (c for r in rows for c in r):
        assert not cell.lstrip().startswith(pages.FORMULA)
    assert text.count("\r\n") == len(rows)
    assert "Zoë \N{GRINNING FACE}" in text.encode().decode()


def test_every_format_is_opened_here():
    assert {f.name for f in TABLES} | set(EACH) | {"json"} == set(FORMATS)


def test_canvas_has_its_columns_its_row_of_points_and_numbers():
    text = FORMATS["canvas"].write(everybody(), About(column="Tiny (77)"))
    heading, possible, ada, eve, zoe = csv.reader(io.StringIO(text, newline=""))
    assert heading == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Tiny (77)"]
    assert possible == ["    Points Possible", "", "", "", "", "6"]
    assert ada == ["Lovelace, Ada", "1001", "s1", "ada", "A, B", "6"]
    assert eve == [f"'@SUM(A1), {EVIL}", "1002", "'-1+2", "'+eve", "'\tx", "2.8"]
    assert zoe[0] == 'de "la" Cruz, Zoë \N{GRINNING FACE}'
    assert zoe[-1] == ""  # nothing handed in: Canvas keeps what it has


def test_moodle_has_the_worksheets_columns():
    frame = pandas.read_csv(io.StringIO(FORMATS["moodle"].write(everybody(), ABOUT)))
    assert frame["Identifier"][0] == "Participant 7"
    assert frame["Email address"].tolist()[:2] == ["ada@x.edu", "eve@x.edu"]
    assert frame["Grade"].tolist()[:2] == [6, 2.8]
    assert (
        frame["Feedback comments"][1]
        == "2.8 of 6 points; late: 0.5 points off; to look at: no-mean"
    )
    assert "Last modified (grade)" in frame


@pytest.mark.parametrize("name", EACH)
def test_each_students_json_is_as_the_specification_says(tmp_path, name):
    paths = exports.save(FORMATS[name], everybody(), ABOUT, tmp_path / "out")
    assert len(paths) == (3 if name == "lti" else 2)
    validator = jsonschema.Draft202012Validator(EACH[name])
    for path in paths:
        validator.validate(json.loads(path.read_text(encoding="utf-8")))


def test_lti_says_who_waits_for_a_human_and_who_handed_in_nothing():
    made = {s: json.loads(t) for s, t in FORMATS["lti"].write(everybody(), ABOUT).items()}
    assert made["ada"] == {
        "userId": "1001", "timestamp": "2026-02-03T00:00:00.000Z", "activityProgress": "Submitted",
        "gradingProgress": "FullyGraded", "scoreGiven": 6, "scoreMaximum": 6,
        "comment": "6 of 6 points",
    }  # fmt: skip
    assert made["eve"]["gradingProgress"] == "PendingManual"
    assert made["zoe"]["gradingProgress"] == "NotReady"
    assert "scoreGiven" not in made["zoe"]


def test_gradescope_hides_what_is_hidden_and_counts_a_humans_points():
    made = json.loads(FORMATS["gradescope"].write(everybody(), ABOUT)["eve"])
    assert made["score"] == pytest.approx(2.8)
    assert [t["visibility"] for t in made["tests"]] == ["visible", "visible", "hidden"]
    assert [t["number"] for t in made["tests"]] == ["1.1", "1.2", "2.1"]
    assert [t["tags"] for t in made["tests"]] == [["no-mean"], [], ["no-mean"]]
    assert made["tests"][2]["output"].splitlines()[1] == "not shown"
    assert made["output"] == "<b>odd</b>"  # with output_format text, which Gradescope escapes
    assert made["output_format"] == "text"


def test_json_has_everything():
    made = json.loads(FORMATS["json"].write(everybody(), ABOUT))
    ada, eve, zoe = made["students"]
    assert (ada["points"], eve["points"], eve["late_penalty"], zoe["points"]) == (6, 2.8, 0.5, None)
    assert [r["check"] for r in ada["results"]] == ["rows", "dtype", "counts"]


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda f: f.name)
def test_what_was_graded_without_a_sandbox_is_stamped(form):
    bad = Final(ADA, 6.0, 0.0, 6.0, True, None, False, record("ada", sandbox="none"))
    made = [form.write(Finals(ID, "Tiny", 6.0, None, rows), ABOUT) for rows in ((bad,), ())]
    texts = [t if isinstance(t, str) else "".join(t.values()) for t in made]
    assert ["UNSANDBOXED" in t or '"unsandboxed": true' in t for t in texts] == [True, False]


@settings(deadline=None)
@given(st.text(max_size=20))
def test_a_guarded_text_is_no_formula_and_is_read_back_whole(text):
    cell = pages.cell(text)
    assert not cell.lstrip().startswith(pages.FORMULA)
    (heading,) = csv.reader(io.StringIO(exports.table(["a", text], []), newline=""))
    assert heading == ["a", cell]


@pytest.mark.parametrize("value", [-1.5, 0, 3.0])
def test_numbers_are_not_guarded(value):
    assert pages.cell(value) == value


# Against a gradebook of nbgrader's own


@pytest.fixture(scope="module")
def room(tmp_path_factory, tiny, tiny_sources, command):
    """A graded class in which a human has given points and one handed in late."""
    from nbgrader.api import Gradebook

    root = tmp_path_factory.mktemp("spring")
    command("init", root)
    command("release", "1", "--dir", root, *TINY)
    people = [Person("ada", "Ada", "Lovelace", "ada@x.edu", lms_id="1"), Person("zoe", "Zoë", "C")]
    roster.keep(root, roster.Roster(people))
    assert finals.enrol(root, people) == 2
    assert finals.enrol(root, people) == 0
    for student, name in {"ada": "no_mean", "bob": "reference", "eve": "stub"}.items():
        path = root / "submitted" / student / ID / f"{ID}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(handout.fill(tiny.handout, tiny_sources[name])))
    command("grade", "1", "--dir", root, "--jobs", "1", *TINY)
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}") as book:
        grade = book.find_grade("check_center", ID, ID, "ada")
        grade.manual_score, grade.extra_credit = 2.5, 0.25
        book.find_submission_notebook(ID, ID, "bob").late_submission_penalty = 1.5
        grade = book.find_grade("check_Tally", ID, ID, "eve")
        grade.auto_score, grade.extra_credit = None, 1.0
        book.db.commit()
    return root


def test_the_points_are_those_that_nbgrader_exports(room, command):
    from nbgrader.api import Gradebook
    from nbgrader.plugins import CsvExportPlugin

    theirs = CsvExportPlugin(to=str(room / "theirs.csv"))
    with Gradebook(f"sqlite:///{room / 'gradebook.db'}") as book:
        theirs.export(book)
    command("export", "1", "--dir", room, "-f", "nbgrader", "-o", room / "ours.csv", *TINY)
    ours, theirs = (pandas.read_csv(room / f"{who}.csv") for who in ("ours", "theirs"))
    order = theirs.sort_values("student_id").reset_index(drop=True)
    pandas.testing.assert_frame_equal(ours, order)
    assert dict(zip(ours["student_id"], ours["score"], strict=True)) == {
        "ada": 5.75, "bob": 4.5, "eve": 0.0, "zoe": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_the_command_writes_each_format_and_says_who_is_unknown_there(room, command, name):
    said = json.loads(command("export", "1", "--dir", room, "-f", name, "--json", *TINY))
    assert all(Path(p).exists() for p in said["files"])
    assert said["students"] == 4
    assert ("bob" in said["not_known_there"]) == (name in ("canvas", "moodle", "lti"))


def test_from_the_results_alone_no_human_counts(room, command):
    out = room / "r.json"
    command("export", "1", "--dir", room, "-f", "json", "--from", "results", "-o", out, *TINY)
    points = {s["student"]: s["points"] for s in json.loads(out.read_text())["students"]}
    assert points == {"ada": 4, "bob": 6, "eve": 0, "zoe": None}


def test_without_a_gradebook_the_wish_for_it_is_an_error(room, tmp_path, command):
    results = tmp_path / ".autograder" / "results" / f"{ID}.jsonl"
    results.parent.mkdir(parents=True)
    results.write_bytes((room / ".autograder" / "results" / f"{ID}.jsonl").read_bytes())
    with pytest.raises(CourseError, match="has no gradebook"):
        command("export", "1", "--dir", tmp_path, *TINY)
