"""A lab with a check and an answer in words: one notebook, its words marked by a human."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autograder import bookkeeper, catalog, feedback, finals, grade, handout, nbgrader_bridge
from autograder.classroom import Classroom
from autograder.roster import Roster

ID = "9.1_small"
LAB = '''"""A lab of the tests."""
# %% [markdown]
# # Lab 9.1: small
#
# Say what you see.

# %%
from autograder import Checker

check = Checker("9.1_small", globals())


# %% hole="double"
def double(x):
    """Twice x."""
    raise NotImplementedError


# %% check="double"
check("double")

# %% answer="seen" points="4"
# YOUR ANSWER HERE

# %% answer="why" points="3"
# YOUR ANSWER HERE
'''
CHECKS = """
from autograder.checks import check, equal


@check(hole="double", points=2, title="twice")
def twice(student, rng):
    return equal(student.double(21), 42, what="double(21)")
"""
WORDS = "It *grows* <script>alert(1)</script>"
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The tiny course with a lab."""
    root = tmp_path_factory.mktemp("lab") / "tiny"
    shutil.copytree(Path(__file__).parent / "tiny", root)
    files = {
        f"labs/{ID}.py": LAB,
        f"labs/{ID}/checks.py": CHECKS,
        f"labs/{ID}/hints.yaml": "{}",
        f"solutions/{ID}/reference.py": "def double(x):\n    return 2 * x\n",
        f"solutions/{ID}/answers.md": "## seen\nIt grows.\n\n## why\nBecause.\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return catalog.find_course(root).assignment("9.1")


def hand_in(lab, root: Path, student: str, **sources: str) -> None:
    path = root / "submitted" / student / ID / f"{ID}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = handout.fill(lab.handout, {**lab.reference.sources, **sources})
    path.write_text(json.dumps(made), encoding="utf-8")


def graded(lab, root: Path) -> None:
    grade.grade(Classroom(root), lab, jobs=1, allow_unsandboxed=True)
    nbgrader_bridge.write_gradebook(root, ID, Classroom(root).results(ID), lab.handout)


def row(root: Path, student: str, name: str) -> tuple:
    with nbgrader_bridge._open(nbgrader_bridge._course(root)) as book:
        found = book.find_grade(name, ID, ID, student)
        return found.auto_score, found.manual_score, found.needs_manual_grade


def marked(root: Path, student: str, name: str, points: float) -> None:
    """What formgrader does when a human grades."""
    with nbgrader_bridge._open(nbgrader_bridge._course(root)) as book:
        found = book.find_grade(name, ID, ID, student)
        found.manual_score, found.needs_manual_grade = points, False
        book.db.commit()


@pytest.fixture
def spring(lab, tmp_path):
    root = tmp_path / "spring"
    nbgrader_bridge.init(root, lab.root)
    Classroom(root).make_secret()
    source = handout.source_notebook(lab.handout, lab.reference.sources)
    released = nbgrader_bridge.release(root, ID, source)
    cells = {c["id"]: c for c in json.loads(released.read_text())["cells"]}
    assert "".join(cells["seen"]["source"]) == "YOUR ANSWER HERE"
    assert cells["seen"]["metadata"]["nbgrader"]["points"] == 4
    return root


def test_words_wait_for_a_human_and_empty_ones_are_no_points(lab, spring):
    hand_in(lab, spring, "ann", seen=WORDS)
    graded(lab, spring)
    assert row(spring, "ann", "seen") == (None, None, True)
    assert row(spring, "ann", "why") == (0.0, None, False)
    marked(spring, "ann", "seen", 3.5)
    found = finals.of_gradebook(spring, ID, "Small", Classroom(spring).results(ID), Roster({}))
    assert [(f.points, f.max_points, f.asks_human) for f in found.rows] == [(5.5, 9.0, False)]
    graded(lab, spring)  # nothing changed: what a human gave stays and is not asked for again
    assert row(spring, "ann", "seen") == (None, 3.5, False)
    hand_in(lab, spring, "ann", seen=f"{WORDS} more", why="Because.")
    graded(lab, spring)  # other words: the points stay until a human has read them
    assert row(spring, "ann", "seen") == (None, 3.5, True)
    assert row(spring, "ann", "why") == (None, None, True)


def test_formgraders_notebook_has_the_words_and_the_page_the_points(lab, spring):
    hand_in(lab, spring, "ann", seen=WORDS, why="")
    graded(lab, spring)
    marked(spring, "ann", "seen", 3.5)
    shown = json.loads((spring / "autograded" / "ann" / ID / f"{ID}.ipynb").read_text())
    cells = {c["id"]: "".join(c["source"]) for c in shown["cells"]}
    assert cells["seen"] == WORDS
    (record,) = Classroom(spring).results(ID)
    standing = bookkeeper.standing(spring, ID, ["ann"])["ann"]
    page = feedback.page(record, standing=standing)
    assert "<b>5.5</b><span>of 9 points" in page
    assert "none are given yet" in page
    assert "<script" not in page


def test_nbgraders_own_command_asks_a_human_too(lab, spring):
    hand_in(lab, spring, "ann", seen=WORDS)
    coursedir = nbgrader_bridge._course(spring)
    coursedir.assignment_id = ID
    config = spring / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.Grade.allow_unsandboxed = True\n")
    coursedir = nbgrader_bridge._course(spring)
    coursedir.assignment_id = ID
    app = nbgrader_bridge.Autograde(coursedir=coursedir, config=coursedir.config)
    app.create_student = True
    app.start()
    assert row(spring, "ann", "seen") == (None, None, True)
    assert row(spring, "ann", "why") == (0.0, None, False)
    assert row(spring, "ann", "check_double") == (2.0, None, False)


def test_a_lab_is_found_by_what_a_person_types(lab):
    course = catalog.find_course(lab.root)
    assert course.labs() == [ID]
    assert course.graded() == ["01_tiny", ID]
    assert {course.resolve(name) for name in (ID, "9.1", "small")} == {ID}
    assert lab.handout.assignment == ID
    assert lab.answers == {"seen": "It grows.", "why": "Because."}
