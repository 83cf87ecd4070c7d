"""The students' zip: what is in it, what never is, and that its checks run where it lies."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from autograder import catalog, leaks
from autograder.classroom import Classroom
from autograder.errors import CourseError

TINY = Path(__file__).parent / "tiny"
ROOT = Path(__file__).resolve().parents[2]
COURSE = ["--course", str(TINY)]
ID = "01_tiny"


@pytest.fixture(scope="module")
def made(tmp_path_factory, command):
    """The zip of the tiny assignment, as the command wrote it, and what that said."""
    path = tmp_path_factory.mktemp("made") / "week1.zip"
    return path, json.loads(command("bundle", "1", "-o", path, "--json", *COURSE))


@pytest.fixture
def unzipped(made, tmp_path):
    with zipfile.ZipFile(made[0]) as archive:
        archive.extractall(tmp_path)
    return tmp_path / ID


def wheel(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "text")
    return path


def test_the_zip_has_the_notebook_the_public_checks_and_two_texts_in_one_folder(made):
    assert made[1]["points"] == 6
    assert set(made[1]["files"]) == {
        f"{ID}/{name}"
        for name in (
            *("README.md", "AGENTS.md", f"{ID}.ipynb", "course/syllabus.yaml"),
            *(f"assignments/{ID}/{n}" for n in ("checks.py", "handout.py", "hints.yaml")),
            f"assignments/{ID}/meaning.py",
        )
    }


def test_the_same_input_gives_the_same_bytes_on_another_day(made, tmp_path, command):
    copy = tmp_path / "c"
    shutil.copytree(TINY, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*"):
        os.utime(path, (1e9, 1e9))
    command("bundle", "1", "-o", tmp_path / "again.zip", "--course", copy)
    assert (tmp_path / "again.zip").read_bytes() == made[0].read_bytes()


def test_every_file_is_named_in_its_readme_and_every_name_there_is_a_file(unzipped):
    said = (unzipped / "README.md").read_text()
    rows = re.findall(r"^\| `([^`]+)` \|", said, re.M)
    assert all((unzipped / row).exists() for row in rows)
    folders = [row for row in rows if row.endswith("/")]
    for path in unzipped.rglob("*"):
        name = path.relative_to(unzipped).as_posix()
        if path.is_file() and name != "README.md":
            assert name in rows or name.startswith(tuple(folders)), name
    assert "@" not in said.replace("@tiny", "")


def test_assistants_are_asked_to_teach_in_words_that_fit_the_assignment(unzipped, tiny):
    said = (unzipped / "AGENTS.md").read_text()
    for words in (tiny.handout.title, f"`{ID}.ipynb`", 'check("center")', "2 tasks", "hints.yaml"):
        assert words in said
    for heading in ("When you are asked for the code", "What help is fine", "What is never fine"):
        assert heading in said
    assert "@" not in said


def test_the_checks_of_the_folder_are_those_that_run_in_it(unzipped, tiny, write_notebook):
    """Not those of a wheel: the title is changed here alone."""
    checks = unzipped / "assignments" / ID / "checks.py"
    checks.write_text(checks.read_text().replace('title="', 'title="HERE '))
    notebook = write_notebook(unzipped / f"{ID}.ipynb", {})
    ran = subprocess.run(
        [sys.executable, "-m", "autograder.cli", "check", notebook.name, "--json"],
        cwd=unzipped, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip
    rows = json.loads(ran.stdout)["results"]
    assert ran.returncode == 1
    assert {r["status"] for r in rows} == {"not-implemented"}
    assert all(r["title"].startswith("HERE ") for r in rows)


def test_data_stands_beside_the_notebook_and_beside_the_checks(tmp_path, command):
    copy = tmp_path / "c"
    shutil.copytree(TINY, copy)
    data = copy / "assignments" / ID / "data"
    data.mkdir()
    (data / "rows.csv").write_text("1,2\n")
    command("bundle", "1", "-o", tmp_path / "a.zip", "--course", copy)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        said = archive.read(f"{ID}/README.md").decode()
    assert {f"{ID}/data/rows.csv", f"{ID}/assignments/{ID}/data/rows.csv"} <= set(names)
    assert "| `data/` | what the notebook reads |" in said


def test_a_students_wheel_comes_along_and_the_readme_says_how_to_install_it(tmp_path, command):
    made = wheel(tmp_path / "minengine-0-x.whl", "minengine/oracle.so")
    said = command("bundle", "1", "-o", tmp_path / "a.zip", "--wheel", made, *COURSE)
    assert "packed" in said
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.read(f"{ID}/wheel/{made.name}") == made.read_bytes()
        assert f"pip install 'wheel/{made.name}[labs]'" in archive.read(f"{ID}/README.md").decode()


def test_two_wheels_are_both_named(tmp_path, command):
    made = [wheel(tmp_path / f"minengine-0-{n}.whl", "minengine/a.so") for n in ("mac", "linux")]
    both = [argument for one in made for argument in ("--wheel", one)]
    command("bundle", "1", "-o", tmp_path / "a.zip", *both, *COURSE)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        said = archive.read(f"{ID}/README.md").decode()
    assert all(f"- `{one.name}`" in said for one in made)


def test_the_instructors_wheel_and_what_is_no_wheel_are_refused(tmp_path, tiny_course):
    from autograder import bundle

    closed = catalog.Course(TINY, {"assignments": {ID: {"closed": ["minengine.oracle.rope"]}}})
    theirs = wheel(tmp_path / "theirs.whl", "minengine/oracle.py")
    text = tmp_path / "no.whl"
    text.write_text("no zip")
    for path, words in ((theirs, r"has minengine/oracle\.py"), (text, "no wheel"),
                        (tmp_path / "gone.whl", "no wheel")):  # fmt: skip
        with pytest.raises(CourseError, match=words):
            bundle.write_zip(tmp_path / "a.zip", closed, closed.assignment("1"), [path])
    assert not (tmp_path / "a.zip").exists()


def test_a_solution_among_the_files_stops_the_zip_and_the_release(tmp_path, command, tiny):
    copy = tmp_path / "c"
    shutil.copytree(TINY, copy, ignore=shutil.ignore_patterns("__pycache__"))
    line = max(leaks.lines_of(tiny.reference.sources), key=len)
    hints = copy / "assignments" / ID / "hints.yaml"
    hints.write_text(hints.read_text() + f"# try {line}\n")
    with pytest.raises(CourseError, match=r"students would get a solution: 01_tiny/assignments"):
        command("bundle", "1", "-o", tmp_path / "a.zip", "--course", copy)
    assert not (tmp_path / "a.zip").exists()
    handout = copy / "assignments" / ID / "handout.py"
    handout.write_text(handout.read_text() + f"\n# %% [markdown]\n# As in `{line}`.\n")
    command("init", tmp_path / "room")
    with pytest.raises(CourseError, match=r"students would get a solution: 01_tiny\.ipynb"):
        command("release", "1", "--dir", tmp_path / "room", "--course", copy)
    assert list((tmp_path / "room" / "release").rglob("*.ipynb")) == []


# Leaks -------------------------------------------------------------------------------------------

SOURCE = {
    "f": 'def f(first, second):\n    """Some words of the docstring."""\n'
    "    total = first + second  # why\n    for n in range(first):\n"
    "        total += n\n    return total * second\n"
}


def test_lines_in_bodies_count_and_signatures_docstrings_and_short_ones_do_not():
    assert leaks.lines_of(SOURCE) == dict.fromkeys(
        ("total=first+second", "forninrange(first):", "returntotal*second"), "f"
    )


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.py", b"x = 1\n\ttotal = first+second\n"),
        ("a.md", b"Try `total = first + second` here.\n"),
        ("a.ipynb", json.dumps({"cells": [{"source": ["total = fir", "st + second\n"]}]}).encode()),
        ("a.ipynb", json.dumps({"cells": [{"outputs": ["total = first + second"]}]}).encode()),
    ],
)
def test_a_line_is_found_in_any_layout_and_any_file(name, data, tmp_path):
    sought = leaks.lines_of(SOURCE)
    assert leaks.find([(name, data)], sought) == [f"{name}: a line of f: total=first+second"]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, data)
    assert len(leaks.find(leaks.below(tmp_path / "a.zip"), sought)) == 1
    with pytest.raises(CourseError, match="total=first"):
        leaks.refuse([(name, data)], SOURCE)


def test_half_a_line_is_no_line():
    assert leaks.find([("a.py", b"total = first\nsecond + total\n")], leaks.lines_of(SOURCE)) == []


# The secret --------------------------------------------------------------------------------------


def test_nothing_of_the_secret_is_in_what_a_course_folder_releases(tmp_path, command, tiny):
    from autograder.checks import Seeds

    room = tmp_path / "room"
    command("init", room)
    command("release", "1", "--dir", room, *COURSE)
    command("bundle", "1", "-o", room / "release" / "a.zip", *COURSE)
    secret = Classroom(room).secret()
    own = Seeds.of(secret, ID, "ada")
    numbers = {f"{v!r}" for c in tiny.checks for v in own.secret_rng(c.id, 0).normal(size=40)}
    keys = {secret, secret.hex().encode(), own.secret, own.secret.hex().encode()}
    files = list(leaks.below(room / "release"))
    assert len(files) >= 2
    for name, data in files:
        texts = "\n".join(leaks._texts(name, data))
        assert not [key for key in keys if key in data or key.decode("latin-1") in texts]
        assert not [number for number in numbers if number in texts]
