"""Late by the instructor's clock, at the price that the configuration names, on every page."""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from zoneinfo import ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbgrader import api
from nbgrader.converters import Autograde
from nbgrader.utils import parse_utc
from traitlets.config import Config
from typer.testing import CliRunner

from autograder import bookkeeper, feedback, handout, lateness, nbgrader_bridge, report, sandbox
from autograder.classroom import Classroom
from autograder.cli.main import app
from autograder.errors import CourseError
from autograder.lateness import DAY_S, Clock, Policy
from autograder.standings import Standing

ID = "01_tiny"
DUE = datetime(2026, 1, 1, 10)
ROW = {"key": "", "student": "ada", "assignment": ID, "digest": "", "sandbox": "x", "seconds": 0,
       "notes": [], "results": []}  # fmt: skip
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader


@pytest.fixture
def spring(tmp_path, tiny, tiny_course, tiny_sources, write_notebook):
    """A course in which ada's reference and bob's wrong solution are handed in."""
    root = tmp_path / "spring"
    nbgrader_bridge.init(root, tiny_course.root)
    Classroom(root).make_secret()
    source = handout.source_notebook(tiny.handout, tiny.reference.sources)
    nbgrader_bridge.release(root, ID, source)
    for student, solution in (("ada", "reference"), ("bob", "no_mean")):
        path = root / "submitted" / student / ID / f"{ID}.ipynb"
        write_notebook(path, tiny_sources[solution])
    return root


def configure(root, **settings):
    config = root / "nbgrader_config.py"
    lines = [f"c.LatePolicy.{name} = {value!r}\n" for name, value in settings.items()]
    config.write_text(config.read_text() + "".join(lines))


def run(*words):
    ran = CliRunner().invoke(app, [str(w) for w in words])
    assert ran.exit_code == 0, ran.output + repr(ran.exception)
    return ran.output


def came_in(root, **late_s):
    """Write down how many seconds after the due date each came in."""
    times = {s: DUE + timedelta(seconds=late) for s, late in late_s.items()}
    lateness.write_times(root, ID, times)
    nbgrader_bridge.set_due(root, ID, DUE)


@pytest.mark.parametrize(
    ("policy", "late_s", "lost"),
    [
        ({}, 9 * DAY_S, 0),
        ({"method": "zero"}, 1, 40),
        ({"method": "zero"}, 0, 0),
        ({"method": "zero", "grace_hours": 1}, 3600, 0),
        ({"method": "zero", "grace_hours": 1}, 3601, 40),
        ({"method": "per_day"}, 1, 4),
        ({"method": "per_day"}, DAY_S, 4),
        ({"method": "per_day"}, DAY_S + 1, 8),
        ({"method": "per_day", "per_day": 25, "cap": 60}, 2 * DAY_S + 1, 24),
        ({"method": "per_day", "grace_hours": 24}, DAY_S, 0),
        ({"method": "per_day", "grace_hours": 24}, 2 * DAY_S, 4),
    ],
)
def test_the_price_of_coming_late(policy, late_s, lost):
    assert Policy(**policy).penalty(40, late_s) == lost


@given(
    st.sampled_from(lateness.METHODS), st.floats(0, 100), st.floats(0, 100), st.floats(0, 100),
    st.floats(0, 1e7), st.floats(0, 1e7), st.floats(0, 1e4),
)  # fmt: skip
def test_nobody_loses_more_than_there_is_and_later_is_never_cheaper(
    method, grace, per_day, cap, one, other, points
):
    policy = Policy(method, grace, per_day, cap)
    costs = [policy.penalty(points, late_s) for late_s in sorted((one, other))]
    assert 0 <= costs[0] <= costs[1] <= points


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("method", "daily"), ("clock", "sundial"), ("cap", 101), ("per_day", -1),
        ("grace_hours", "1"), ("per_day", True), ("grace_hours", float("nan")),
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_sense_is_refused_by_name(name, value):
    with pytest.raises(CourseError, match=f"c.LatePolicy.{name} = "):
        Policy.of(Config(LatePolicy={name: value}))


def test_a_student_cannot_set_the_time_of_arrival(spring):
    path = spring / "submitted" / "ada" / ID / f"{ID}.ipynb"
    arrived = lateness.arrival(path)
    os.utime(path, (1e9, 1e9))
    path.with_name("timestamp.txt").write_text("2001-01-01 00:00:00 UTC")
    clock = Clock.of(spring, ID, Policy())
    assert timedelta(0) <= clock.when("ada", path) - arrived < timedelta(minutes=5)
    assert Clock.of(spring, ID, Policy(clock="timestamp")).when("ada", path) == datetime(2001, 1, 1)


def test_the_table_of_times_comes_first_and_a_stranger_to_it_counts_by_arrival(spring):
    came_in(spring, ada=5)
    clock = Clock.of(spring, ID, Policy())
    assert clock.when("ada", None) == DUE + timedelta(seconds=5)
    path = spring / "submitted" / "bob" / ID / f"{ID}.ipynb"
    assert clock.when("bob", path) == lateness.arrival(path)
    assert [clock.source(s) for s in ("ada", "bob")] == ["table of times", "arrival of the file"]
    assert clock.when("cy", None) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("who,time\nada,2026-01-01\n", "no column student"),
        ("student,time\nada,yesterday\n", ":2: 'yesterday' is no time"),
        ("student,time\nada\n", "is no time"),
        ("", "no column student, time"),
    ],
)
def test_a_damaged_table_of_times_is_refused_with_its_line(tmp_path, text, words):
    (tmp_path / "times.csv").write_text(text)
    with pytest.raises(CourseError, match=words):
        lateness.read_times(tmp_path / "times.csv")


def test_a_table_of_times_comes_back_as_it_was_written(tmp_path):
    times = {"ada": DUE, 'o"x, y\n': DUE + timedelta(microseconds=7)}
    assert lateness.read_times(lateness.write_times(tmp_path, ID, times)) == times


@pytest.mark.parametrize("through", ["autograder grade", "nbgrader autograde"])
def test_both_ways_to_grade_take_the_price(spring, tiny, monkeypatch, through):
    configure(spring, method="per_day", per_day=20.0, cap=50.0, grace_hours=1.0)
    came_in(spring, ada=3600 + 1, bob=9 * DAY_S)
    stamp = spring / "submitted" / "ada" / ID / "timestamp.txt"
    stamp.write_text("tomorrow")  # damaged, and not asked
    monkeypatch.setattr(nbgrader_bridge, "_ready", lambda _: sandbox.choose().name)
    if through == "autograder grade":
        said = run("grade", "1", "--dir", spring, "--course", tiny.root)
        assert "1 h 1 min -1.2" in said
        assert "9 d -2" in said
    else:
        coursedir = nbgrader_bridge._course(spring)
        coursedir.assignment_id = ID
        Autograde(coursedir=coursedir, config=coursedir.config).start()
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 6 - 1.2, "bob": 4 - 2}
    standing = bookkeeper.standing(spring, ID, ["ada", "bob", "cy"])
    assert {s: (v.late_s, v.penalty) for s, v in standing.items()} == {
        "ada": (3601, 1.2), "bob": (9 * DAY_S, 2)
    }  # fmt: skip


def test_lateness_stands_in_feedback_and_report(spring, tiny):
    configure(spring, method="zero")
    came_in(spring, ada=90, bob=0)
    run("grade", "1", "--dir", spring, "--course", tiny.root)
    run("feedback", "1", "--dir", spring, "--course", tiny.root)
    run("report", "1", "--dir", spring, "--course", tiny.root)
    page = (spring / "feedback" / "ada" / ID / f"{ID}.html").read_text()
    assert "Handed in 2 min after the due date; 6 points were taken off for it." in page
    assert "<b>0</b><span>of 6 points (0 %)" in page
    assert "due date" not in (spring / "feedback" / "bob" / ID / f"{ID}.html").read_text()
    table = (spring / "reports" / f"{ID}.html").read_text()
    assert "<td>6</td><td>0</td><td>2 min (−6)</td>" in table
    assert "<td>4</td><td>4</td><td></td>" in table


def test_without_anything_beside_our_points_pages_are_as_before():
    everyone = report.Class()
    everyone.add(row := dict(ROW))
    assert "<th>late</th>" not in report.page(everyone, ID)
    assert "<th>late</th>" in report.page(everyone, ID, standings={"ada": Standing(late_s=1)})
    assert "due date" not in feedback.page(row)


def test_the_command_sets_the_due_date_and_shows_who_is_late(spring, tiny, tmp_path):
    (tmp_path / "t.csv").write_text("student,time\nada,2026-01-01 12:00 Europe/Berlin\n")
    where = ("--dir", spring, "--course", tiny.root)
    said = run("late", "1", *where, "--due", "2026-01-01 10:00 UTC", "--times", tmp_path / "t.csv")
    assert "not graded yet" in said
    run("grade", "1", *where)
    said = run("late", "1", *where)
    assert "2026-01-01 11:00:00" in said
    assert "1 h" in said
    assert "arrival of the file" in said
    with api.Gradebook(f"sqlite:///{spring}/gradebook.db") as book:
        assert book.find_submission(ID, "ada").total_seconds_late == 3600
    run("late", "1", *where, "--due", "none")
    assert bookkeeper.standing(spring, ID, ["ada"])["ada"].late_s == 0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 min"), (3600, "1 h"), (3661, "1 h 2 min"), (2 * DAY_S + 3600, "2 d 1 h"), (0, "0 min")],
)
def test_a_duration_in_words(seconds, words):
    assert lateness.lasted(seconds) == words


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-02 15:58:23.948203 America/Los_Angeles", "2026-07-02 15:58:23 Europe/Berlin",
        "2026-02-02 15:58:23 UTC", "2026-02-02 15:58:23", "2026-02-02T15:58:23+01:00",
    ],
)  # fmt: skip
def test_a_timestamp_means_what_nbgrader_takes_it_for(text):
    assert lateness.utc(text) == parse_utc(text)


def test_an_offset_is_hours_and_minutes():
    # nbgrader 0.9.6 takes +0530 for 530 seconds
    assert lateness.utc("2026-02-02 15:58:23 +0530") == datetime(2026, 2, 2, 10, 28, 23)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-02-02 15:58 Mars/Base", "a b ../../etc"])
def test_a_damaged_timestamp_is_an_error_of_a_kind_that_is_caught(text, tmp_path):
    with pytest.raises((ValueError, ZoneInfoNotFoundError)):
        lateness.utc(text)
    (tmp_path / "timestamp.txt").write_text(text)
    assert lateness.timestamp(tmp_path / "x.ipynb") is None
