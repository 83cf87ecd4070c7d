"""The commands from a class to its report, what they print, and their exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from autograder import doctor, home, sandbox
from autograder.cli import main as cli

COMMANDS = cli.app.registered_commands
TINY = ["--course", str(Path(__file__).parent / "tiny")]


def name_of(command):
    return command.name or command.callback.__name__


def run(*args, code=0):
    result = CliRunner().invoke(cli.app, [str(a) for a in args], env={"COLUMNS": "160"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def autograder(*args, cwd=None):
    """The command as a process."""
    command = [sys.executable, "-m", "autograder.cli", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=120)


@pytest.fixture(scope="module")
def room(tmp_path_factory, tiny, tiny_sources):
    """A course folder made, released, filled with four submissions and graded by the commands."""
    from autograder import handout

    root = tmp_path_factory.mktemp("spring")
    run("init", root)
    assert "6 points" in run("release", "1", "--dir", root, *TINY)
    for name in ("reference", "stub", "no_mean", "first_name"):
        path = root / "submitted" / f"{name}[b]" / tiny.id / f"{tiny.id}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(handout.fill(tiny.handout, tiny_sources[name])))
    table = run("grade", "tiny", "--dir", root, "--jobs", "2", *TINY)
    return root, table


def test_grade_prints_student_mark_points_per_hole_and_tags(room):
    _, table = room
    rows = {line.split()[0]: line for line in table.splitlines() if "[b]" in line}
    assert "6/6" in rows["reference[b]"]
    assert "0/6" in rows["stub[b]"]
    for word in ("4/6", "1/3", "3/3", "no-mean"):
        assert word in rows["no_mean[b]"]
    assert "4 graded, 0 known already" in table


def test_grading_again_is_free_and_says_so_in_json(room):
    root, _ = room
    said = json.loads(run("grade", "1", "--dir", root, "--json", "--no-gradebook", *TINY))
    assert (said["graded"], said["reused"], said["lost"]) == (0, 4, [])
    assert {m["student"]: m["points"] for m in said["marks"]}["no_mean[b]"] == 4
    assert said["sandbox"] != "none"


def test_the_gradebook_has_the_scores_of_the_table(room):
    from autograder import nbgrader_bridge

    scores = nbgrader_bridge.scores(room[0], "01_tiny")
    assert scores == {"reference[b]": 6, "stub[b]": 0, "no_mean[b]": 4, "first_name[b]": 4}


def test_feedback_and_report_are_written(room):
    root, _ = room
    assert "for 4 in" in run("feedback", "1", "--dir", root, *TINY)
    page = (root / "feedback" / "no_mean[b]" / "01_tiny" / "01_tiny.html").read_text()
    assert "The mean stays" in page
    run("report", "1", "--dir", root, "--out", root / "r.html", *TINY)
    assert "no_mean[b]" in (root / "r.html").read_text()


def test_the_released_notebook_is_the_handouts(room, tiny):
    path = room[0] / "release" / "01_tiny" / "01_tiny.ipynb"
    cells = {c["id"]: "".join(c["source"]) for c in json.loads(path.read_text())["cells"]}
    assert "BEGIN SOLUTION" not in path.read_text()
    assert "np.mean" not in path.read_text()
    assert set(cells) == {c.id for c in tiny.handout.cells}


def test_check_shows_the_idea_and_exits_with_the_verdict(tmp_path, write_notebook, tiny_sources):
    right = write_notebook(tmp_path / "01_tiny.ipynb", tiny_sources["reference"])
    wrong = write_notebook(tmp_path / "wrong.ipynb", tiny_sources["no_mean"])
    assert "3 of 3 checks passed" in run("check", right, *TINY)
    said = run("check", wrong, *TINY, code=1)
    assert "no-mean: The mean stays" in said
    assert "got 14.5906, want -1.93211" in said


def test_the_command_that_a_hidden_failure_names_shows_it(tmp_path, write_notebook, tiny_sources):
    notebook = write_notebook(tmp_path / "01_tiny.ipynb", tiny_sources["first_name"])
    assert "passed" in run("check", notebook, *TINY)
    said = run("check", notebook, "--only", "tally_counts", "--seed", "3", *TINY, code=1)
    assert "first-name" in said
    assert "got 'a', want 'z'" in said
    everything = json.loads(run("check", notebook, "--all", "--json", *TINY, code=1))
    assert [r["status"] for r in everything["results"]] == ["passed"] * 2 + ["failed", "passed"]
    assert everything["sandboxed"]


def test_on_a_narrow_terminal_words_wrap_with_their_indent_and_the_command_stays_whole(
    tmp_path, tiny_course, write_notebook, tiny_sources
):
    notebook = write_notebook(tmp_path / "01_tiny.ipynb", tiny_sources["no_mean"])
    shown = io.StringIO()
    verdict = home.check(notebook, tiny_course)
    home.show(verdict, Console(file=shown, width=50, force_terminal=True, no_color=True))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.getvalue()).splitlines()
    again = "      again: autograder check 01_tiny.ipynb --only center_rows --seed 0"
    assert again in lines
    assert max(len(line.rstrip()) for line in lines if "again:" not in line) <= 80
    told = [line for line in lines if "largest error" in line or "values differ" in line]
    assert told
    assert all(line.startswith(" " * 6) for line in told)


def test_check_without_a_sandbox_uses_a_plain_child_and_says_so(
    tmp_path, write_notebook, tiny_sources, monkeypatch
):
    notebook = write_notebook(tmp_path / "01_tiny.ipynb", tiny_sources["reference"])
    monkeypatch.setattr(sandbox, "probe", lambda b: "not here" if b.sandboxed else "")
    assert "your code ran in a plain child process" in run("check", notebook, *TINY)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["grade", "9", *TINY], "no assignment '9'"),
        (["grade", "1", "--dir", "nowhere", *TINY], "no submission in nowhere"),
        (["feedback", "1", *TINY], "nothing graded yet"),
        (["check", "none.ipynb", *TINY], "no such file"),
        (["grade", "1", "--course", "/nowhere"], "syllabus.yaml"),
        (["grade", "1", "--jobs", "0"], "Invalid value"),
        (["grades"], "No such command"),
    ],
)
def test_wrong_usage_is_one_message_and_exit_code_two(tmp_path, args, words):
    ran = autograder(*args, cwd=tmp_path)
    assert ran.returncode == 2
    assert words in ran.stderr.replace("\n", " ")
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.hidden], ids=name_of)
def test_every_command_has_help_with_an_example(command):
    said = run(name_of(command), "--help")
    assert "Example" in said
    assert f"autograder {name_of(command)}" in said


def test_the_instructors_page_names_commands_and_options_that_there_are():
    page = Path(__file__).parents[2] / "course" / "instructors" / "day.md"
    shown = page.read_text().splitlines()
    lines = [line[2:].split() for line in shown if line.startswith("$ autograder")]
    known = {name_of(c): run(name_of(c), "--help") for c in COMMANDS}
    assert len(lines) > 10
    for _, command, *words in lines:
        for option in (w for w in words if w.startswith("-")):
            assert option in known[command], (command, option)


def test_an_unknown_check_is_named_with_those_there_are(tmp_path, write_notebook, tiny_sources):
    notebook = write_notebook(tmp_path / "01_tiny.ipynb", tiny_sources["reference"])
    with pytest.raises(cli.AutograderError, match=r"no check nothing; there is center_rows"):
        run("check", notebook, "--only", "nothing", *TINY)


def test_verify_prints_the_matrix_and_its_exit_code_says_sound():
    said = run("verify", "1", "--seeds", "1", "--jobs", "2", *TINY)
    assert "sound: 4 checks, 10 submissions, 5 wrong, 0 hostile" in said
    assert "wrong no_mean" in said


def test_doctor_says_what_is_there_and_what_to_install(monkeypatch):
    found = {f["name"]: f for f in json.loads(run("doctor", "--json"))}
    assert found["sandbox chosen"]["ok"]
    assert found["nbgrader"]["ok"]
    monkeypatch.setattr(sandbox, "probe", lambda b: "not here")
    monkeypatch.setenv("CC", "no-such-compiler")
    said = run("doctor", code=1)
    assert "apt-get install bubblewrap" in said.replace("\n", " ")
    assert "apt-get install build-essential" in said


def test_a_look_that_fails_is_a_finding(monkeypatch):
    def fail():
        raise OSError("no such device")

    monkeypatch.setattr(doctor.shutil, "which", lambda name: fail())
    assert any("could not be examined" in f.found for f in doctor.examine())


def test_names_of_students_cannot_act_on_the_terminal():
    shown = cli.escape("a\x1b[31m[red]b")
    assert "\x1b" not in shown
    assert "\\[red]b" in shown


def test_the_student_side_needs_none_of_the_grading_extra(tmp_path, write_notebook, tiny_sources):
    """Only numpy, typer, rich and pyyaml may be imported by check and by Checker."""
    notebook = write_notebook(tmp_path / "01_tiny.ipynb", tiny_sources["reference"])
    script = tmp_path / "s.py"
    script.write_text(
        "import sys\n"
        "for name in ('nbformat', 'nbgrader', 'jupytext', 'jinja2', 'markupsafe', 'matplotlib',"
        " 'IPython', 'traitlets', 'sqlalchemy'):\n"
        "    sys.modules[name] = None\n"
        "from autograder import Checker\n"
        "from autograder.cli import main as cli\n"
        f"source = {tiny_sources['reference']['center']!r}\n"
        "exec(source)\n"
        f"Checker('01_tiny', globals(), {TINY[1]!r})('center')\n"
        "sys.argv[0] = 'autograder'\n"
        "cli.main()\n"
    )
    command = [sys.executable, str(script), "check", str(notebook), *TINY]
    ran = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "HOME": "/"})
    assert ran.returncode == 0, ran.stderr
    assert "3 of 3 checks passed" in ran.stdout
