"""An interview question as a person takes it, and the command without a terminal."""

from __future__ import annotations

import json
import time

import pytest
from typer.testing import CliRunner

from quizzes import interview
from quizzes.cli.main import app
from quizzes.errors import ReplyError
from quizzes.sitting import Practice, Score, choose, clock

from .test_terminal import person  # noqa: F401 - a fixture


@pytest.fixture
def quiz(state):
    def run(*arguments, stdin=None):
        return CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)

    return run


def test_a_question_is_timed_told_and_scored(person, state):  # noqa: F811
    somebody = person("interview", "cache-of-70b")
    somebody.wait_for("Llama 2 70B has 80 layers")
    somebody.wait_for("8:00 minutes. Enter when you are done")
    somebody.wait_for("7:5")  # the clock runs
    somebody.press("\n")
    somebody.wait_for("Looked for")
    somebody.wait_for("327,680 bytes")
    somebody.wait_for("Follow-ups")
    somebody.wait_for("Rubric")
    for most, points in ((3, "9\n3\n"), (3, "3\n"), (2, "x\n1\n"), (2, "2\n")):
        somebody.wait_for(f"points, 0 to {most}:")
        somebody.press(points)
    somebody.wait_for("9 of 10 points in 0:")
    assert somebody.exit_code() == 0
    assert [s.points for s in Practice().scores["cache-of-70b"]] == [9]


def test_when_time_is_up_the_answer_comes_and_ctrl_c_keeps_nothing(person, state):  # noqa: F811
    somebody = person("interview", "residual-stream", "--minutes", "0.02")
    somebody.wait_for("Time is up.")
    somebody.wait_for("A model answer")
    somebody.wait_for("points, 0 to 3:")
    time.sleep(0.5)  # readline shows the prompt before it listens, and a Ctrl-C between is lost
    somebody.press("\x03")
    somebody.wait_for("Nothing was scored")
    assert somebody.exit_code() == 130
    assert Practice().scores == {}


def test_all_of_a_question_is_shown_without_a_terminal(quiz):
    shown = quiz("interview", "paged-cache", "--show")
    assert shown.exit_code == 0
    assert "Looked for" in shown.stdout
    assert "slot 149" in shown.stdout
    data = json.loads(quiz("interview", "paged-cache", "--json").stdout)
    assert "slot 149" in data["answer"]
    assert {"name", "value", "computed_by", "where", "id"} == set(data["numbers"][0])
    refused = quiz("interview", "paged-cache")
    assert refused.exit_code == 2
    assert "no terminal" in refused.stderr


def test_the_list_can_be_narrowed_and_an_unknown_id_is_named(quiz):
    rows = json.loads(quiz("interview", "--list", "--json").stdout)
    assert len(rows) == 20
    some = json.loads(quiz("interview", "--list", "-c", "design", "-l", "senior", "--json").stdout)
    assert {(r["category"], r["level"]) for r in some} == {("design", "senior")}
    assert "speculation" in quiz("interview", "--list").stdout
    unknown = quiz("interview", "nothing", "--show")
    assert unknown.exit_code == 2
    assert "there is cache-of-70b" in unknown.stderr


def test_a_fix_is_tried_and_said_to_be_right_or_wrong(quiz, tmp_path):
    q = interview.load()["into-a-loop"]
    path = tmp_path / "fix.py"
    path.write_text(q.fix)
    mended = quiz("interview", q.id, "--try", path)
    assert (mended.exit_code, "Mended" in mended.stdout) == (0, True)
    path.write_text("1 / 0\n")
    wrong = quiz("interview", q.id, "--try", path)
    assert wrong.exit_code == 1
    assert "ZeroDivisionError" in wrong.stdout
    no_engine = quiz("interview", "paged-cache", "--try", path)
    assert no_engine.exit_code == 2
    assert "no broken engine" in no_engine.stderr


def test_a_shell_has_the_broken_engine_and_the_right_one(quiz):
    said = quiz(
        "interview", "into-a-loop", "--shell",
        stdin="print(type(broken).__name__, broken.parts.next_mu is not None, "
        "right.parts.next_mu)\nsource()\n",
    )  # fmt: skip
    assert "PartsEngine True None" in said.stdout
    assert "def next_mu" in said.stdout


def test_those_asked_the_fewest_times_are_dealt_first(tmp_path):
    bank = list(interview.load().values())[:3]
    practice = Practice(tmp_path / "scores.json")
    for q in bank[:2]:
        practice.add(q.id, Score(7, 60))
    assert choose(bank, practice).id == bank[2].id
    again = Practice(tmp_path / "scores.json")
    assert again.scores == practice.scores
    assert again.best(bank[0].id) == 7
    assert {choose(bank[:2], practice, str(s)).id for s in range(20)} == {q.id for q in bank[:2]}
    with pytest.raises(ReplyError, match="no interview question"):
        choose([], practice)
    (tmp_path / "scores.json").write_text('{"a": [1]}')
    with pytest.raises(ReplyError, match="delete the file"):
        Practice(tmp_path / "scores.json")


def test_a_clock_is_minutes_and_seconds():
    assert [clock(s) for s in (0, 65.4, 3599.6, -3)] == ["0:00", "1:05", "60:00", "0:00"]
