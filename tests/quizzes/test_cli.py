"""The `quiz` commands without a terminal: output, exit codes, errors in one line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from quizzes.cli.main import app
from quizzes.paper import draw

from .conftest import SMALL


@pytest.fixture
def quiz(state):
    def run(*arguments):
        return CliRunner().invoke(app, [str(a) for a in arguments])

    return run


@pytest.fixture
def filled(tmp_path):
    """A file with right replies to ada's paper but for the first few questions."""

    def write(*, n_missing=0, seed="1", name="ada.json"):
        paper = draw("2.1", "ada", seed)
        right = {
            q.id: list(q.answer) if isinstance(q.answer, tuple) else str(q.answer)
            for q in paper.questions[n_missing:]
        }
        head = {"quiz": "2.1", "student": "ada", "seed": seed, "paper": paper.digest}
        path = tmp_path / name
        path.write_text(json.dumps(head | {"answers": right}))
        return path

    return write


def test_every_command_has_help_with_an_example(quiz):
    for command in (
        "list", "take", "deal", "collect", "mark", "export", "verify", "interview",
    ):  # fmt: skip
        found = quiz(command, "--help")
        assert found.exit_code == 0
        assert "Example" in found.output
    assert "Exit codes" in quiz("--help").output


def test_list_shows_what_papers_are(quiz):
    rows = json.loads(quiz("list", "--json").stdout)
    row = next(r for r in rows if r["quiz"] == "2.1")
    assert row["questions"] == 10
    assert row["pass_mark"] == 0.8
    assert row["required"] is True
    assert row["in_bank"] >= 18
    assert row["computed"] > row["in_bank"] / 2
    assert "Transformer" in quiz("list").stdout


@pytest.mark.parametrize(("n_missing", "code"), [(0, 0), (2, 0), (3, 1), (10, 1)])
def test_a_file_of_replies_passes_or_not(quiz, filled, n_missing, code):
    path = filled(n_missing=n_missing)
    found = quiz("take", "2.1", "--answers", path, "--json")
    assert found.exit_code == code
    data = json.loads(found.stdout)
    assert (data["n_right"], data["n_needed"], data["passed"]) == (10 - n_missing, 8, code == 0)
    assert all(q["right"] or q["reason"] for q in data["questions"])
    told = quiz("take", "2.1", "--answers", path)
    assert told.exit_code == code
    assert f"{10 - n_missing} of 10 right" in told.stdout
    assert ("not passed" in told.stdout) == (code == 1)


def test_the_template_filled_in_by_hand_is_judged(quiz, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(quiz("take", "2.1", "--template", "-s", "zed", "--seed", "4").stdout)
    data = json.loads(quiz("take", "2.1", "-a", path, "--json").stdout)
    assert (data["student"], data["seed"], data["n_right"]) == ("zed", "4", 0)
    paper = json.loads(quiz("take", "2.1", "--template", "--json", "-s", "zed", "--seed", 4).stdout)
    assert paper["paper"] == data["paper"]
    assert list(paper["answers"]) == [q["id"] for q in data["questions"]]


def test_a_bare_mapping_of_replies_is_enough(quiz, tmp_path):
    paper = draw("2.1", "ada", "1")
    path = tmp_path / "bare.yaml"
    path.write_text(f"{paper.questions[0].id}: a\n")
    found = quiz("take", "2.1", "-a", path, "-s", "ada", "--json")
    assert (found.exit_code, json.loads(found.stdout)["student"]) == (1, "ada")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["take", "7.7", "--template"], "there is no quiz '7.7'"),
        (["take", "2.1"], "no terminal to ask in"),
        (["take", "2.1", "-a", "none.yaml"], "none.yaml: cannot be read"),
        (["take", "2.1", "--json"], "no terminal to ask in"),
        (["list", "--bank", "nowhere"], "no such folder of banks"),
        (["mark", "none.yaml"], "none.yaml: no such file"),
        (["deal", "2.1", "ada", "--secret", "none", "--out", "out"], "none: cannot be read"),
        (["take"], "Missing argument"),
        (["tkae"], "No such command"),
        (["verify", "--draws", "0"], "Invalid value"),
    ],
)
def test_a_wrong_argument_is_said_in_one_message_with_code_2(quiz, arguments, words):
    found = quiz(*arguments)
    assert found.exit_code == 2
    assert words in found.stderr
    assert "Traceback" not in found.output
    assert found.stdout == ""


def test_replies_of_somebody_else_are_not_judged_as_mine(quiz, filled):
    path = filled()
    for more, words in (
        (["-s", "eve"], "the file is for student 'ada', asked is 'eve'"),
        (["--seed", "2"], "the file is for seed '1', asked is '2'"),
    ):
        found = quiz("take", "2.1", "-a", path, *more)
        assert (found.exit_code, words in found.stderr) == (2, True)
    path.write_text(path.read_text().replace('"paper": "', '"paper": "x'))
    assert "the replies are for paper x" in quiz("take", "2.1", "-a", path).stderr


def test_dealt_papers_are_marked_with_the_secret_only(quiz, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    out = tmp_path / "papers"
    found = quiz("deal", "2.1", "ada", "grace", "--secret", secret, "--out", out)
    assert (found.exit_code, "2 papers" in found.stdout) == (0, True)
    marked = quiz("mark", out, "--secret", secret, "--json")
    assert marked.exit_code == 0
    rows = json.loads(marked.stdout)
    assert [(r["student"], r["n_right"], r["passed"], r["error"]) for r in rows] == [
        ("ada", 0, False, ""),
        ("grace", 0, False, ""),
    ]
    assert "quiz mark --secret" in quiz("take", "2.1", "-a", out / "ada.yaml").stderr
    without = quiz("mark", out)
    assert without.exit_code == 1
    assert "no mark" in without.stdout


def test_a_file_that_cannot_be_marked_gives_code_1_and_stops_no_other(quiz, filled, tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("[")
    found = quiz("mark", broken, filled())
    assert found.exit_code == 1
    assert "ada" in found.stdout
    assert "no mark" in found.stdout


def test_verify_tells_a_wrong_bank_by_its_exit_code(quiz, tmp_path):
    assert quiz("verify", "--draws", "2").exit_code == 0
    (tmp_path / "9.1.yaml").write_text(SMALL)
    small = quiz("verify", "--draws", "2", "--bank", tmp_path, "--json")
    assert small.exit_code == 1
    assert json.loads(small.stdout)[0]["ok"] is False
    (tmp_path / "9.1.yaml").write_text(SMALL.replace("kind: order", "kind: ordre"))
    broken = quiz("verify", "--draws", "2", "--bank", tmp_path)
    assert broken.exit_code == 2
    assert "9.1.yaml:40: " in broken.stderr


def test_a_folder_that_cannot_be_written_is_said_in_one_line(quiz, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    found = quiz("deal", "2.1", "ada", "--secret", secret, "--out", secret)
    assert found.exit_code == 2
    assert found.stderr.startswith(f"quiz: {secret}")
    assert len(found.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["take", "2.1", "--template"], ["list"], ["list", "--json"]])
def test_a_reader_that_goes_away_is_no_error_message(arguments):
    command = [sys.executable, "-c", "from quizzes.cli.main import main; main()", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    errors = process.stderr.read().decode()
    assert (process.wait(120), errors) == (141, "")


PRIVATE = """\
"9.1":
  title: Ours alone
  questions: 3
  pass_mark: 0.5
  required: false
"""


def test_a_private_bank_with_its_own_plan_is_dealt_collected_and_marked(quiz, tmp_path):
    private = tmp_path / "private"
    private.mkdir()
    (private / "9.1.yaml").write_text(SMALL)
    (private / "papers.yaml").write_text(PRIVATE)
    secret, names = tmp_path / "secret", tmp_path / "names.txt"
    secret.write_text("0123456789abcdef0123456789abcdef")
    names.write_text("ada\ngrace\n")
    papers, out = tmp_path / "papers", tmp_path / "out"
    ours = ("--secret", secret, "--bank", private)
    dealt = quiz("deal", "9.1", "--roster", names, "-o", papers, *ours)
    assert dealt.exit_code == 0, dealt.output
    assert "Ours alone" in (papers / "ada.yaml").read_text()
    (papers / "grace.yaml").unlink()
    got = quiz("collect", papers, "--roster", names, "-o", out, "--json", *ours)
    found = json.loads(got.stdout)
    assert got.exit_code == 1
    assert (len(found["kept"]), found["missing"], found["refused"]) == (1, ["grace"], [])
    marked = json.loads(quiz("mark", out, "--json", *ours).stdout)
    assert [(m["student"], m["n_questions"], m["n_needed"]) for m in marked] == [("ada", 3, 2)]
    listed = json.loads(quiz("list", "--bank", private, "--json").stdout)
    assert [(r["quiz"], r["title"]) for r in listed] == [("9.1", "Ours alone")]
    nobody = quiz("deal", "9.1", "-o", papers, *ours)
    assert nobody.exit_code == 2
    assert "no students" in nobody.stderr


def test_what_was_marked_goes_to_the_class_report(quiz, tmp_path):
    from autograder import items

    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef0123456789abcdef")
    quiz("deal", "2.4", "ada", "grace", "--secret", secret, "-o", tmp_path / "in")
    marked = json.loads(quiz("mark", tmp_path / "in", "--secret", secret, "--json").stdout)
    found = items.of_quiz(marked)["2.4"]
    assert sum(item.n for item in found) == 20
    assert all(item.difficulty == 0 for item in found)
