"""A course is found where it is, and what does not fit together in it is said."""

from __future__ import annotations

import importlib
import shutil
import sys
from pathlib import Path

import pytest

from autograder import catalog
from autograder.errors import CourseError
from quizzes import schema

TINY = Path(__file__).parent / "tiny"
HOLES = ("center", "Tally")


@pytest.fixture
def copy(tmp_path):
    """A copy of the tiny course that a test may spoil."""
    shutil.copytree(TINY, tmp_path / "c", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "c"


@pytest.mark.parametrize("name", ["01_tiny", "1", "01", "tiny"])
def test_an_assignment_answers_to_what_a_person_types(tiny_course, name):
    assert tiny_course.resolve(name) == "01_tiny"


def test_an_unknown_assignment_is_refused_with_those_there_are(tiny_course):
    for name in ("2", "tin", "", "../01_tiny"):
        with pytest.raises(CourseError, match="there is 01_tiny"):
            tiny_course.resolve(name)


def test_the_course_around_the_working_folder_is_found_and_else_our_own(
    copy, monkeypatch, tmp_path
):
    monkeypatch.chdir(copy / "assignments" / "01_tiny")
    assert catalog.find_course().root == copy
    monkeypatch.chdir(tmp_path)
    assert (catalog.find_course().root / "autograder").is_dir()
    with pytest.raises(CourseError, match=r"no course/syllabus\.yaml"):
        catalog.find_course(tmp_path)


def test_points_follow_from_the_checks_and_stand_in_the_handout(tiny):
    assert tiny.max_points == 6
    assert tiny.handout.points == {"center": 3, "Tally": 3}
    assert tiny.checks[0].id == "center_rows"


def test_the_neighbours_of_checks_leave_no_module_behind(copy):
    before = set(sys.modules)
    path = list(sys.path)
    catalog.find_course(copy).assignment("1")
    assert {m for m in set(sys.modules) - before if not m.startswith("_checks_")} == set()
    assert sys.path == path


def test_solutions_come_with_every_hole_and_say_what_they_fail(tiny):
    found = {s.name: s for s in tiny.solutions()}
    assert [s.kind for s in tiny.solutions()][:4] == ["reference", *["alternate"] * 3]
    wrong = found["no_mean"]
    assert (wrong.idea, wrong.fails) == ("The mean is not taken off.", {"center_rows": "no-mean"})
    assert set(wrong.own) == {"center"}
    assert wrong.sources["Tally"] == tiny.reference.sources["Tally"]
    assert tuple(wrong.sources) == HOLES


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("checks.py", "rtol=1e-9", "rtol=1e-8"),
        ("hints.yaml", "\n", "\n# changed\n"),
        ("handout.py", "\n", "\n# changed\n"),
        ("meaning.py", "x.mean(-1", "x.mean(1"),
    ],
)
def test_the_digest_changes_with_every_file_that_a_result_depends_on(copy, name, old, new):
    before = catalog.find_course(copy).assignment("1").digest
    path = copy / "assignments" / "01_tiny" / name
    path.write_text(path.read_text().replace(old, new, 1))
    assert catalog.find_course(copy).assignment("1").digest != before


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        ("checks.py", "import nothing_of_this_name", "ModuleNotFoundError"),
        ("checks.py", "def x(:", "SyntaxError"),
        ("checks.py", "", "no check for center, Tally"),
        (
            "checks.py",
            "from autograder.checks import check\n"
            "@check(hole='centre', points=1, title='t')\ndef a(s, r): pass\n",
            "checks for centre, which is no hole",
        ),
        (
            "checks.py",
            "from autograder.checks import check\n@check(hole='center', points=0, title='t')\n"
            "def a(s, r): pass\n",
            r"checks\.py.*want a positive",
        ),
        ("hints.yaml", "- 1", "want a mapping"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_file(copy, file, text, words):
    (copy / "assignments" / "01_tiny" / file).write_text(text)
    with pytest.raises(CourseError, match=words):
        catalog.find_course(copy).assignment("1")


def test_a_syllabus_that_is_no_yaml_is_refused(copy):
    for text in ("a: [", "- 1"):
        (copy / "course" / "syllabus.yaml").write_text(text)
        with pytest.raises(CourseError, match=r"syllabus\.yaml"):
            catalog.find_course(copy)


def split(text):
    return catalog.split(Path("s.py"), text, HOLES)


def test_what_stands_before_a_hole_belongs_to_it_and_what_is_left_to_the_last():
    text = (
        '"""Idea."""\n\nimport math\n\nFAILS = {"a": "b"}\n\n\n# comment\n@cache\n'
        "def center(x, weight):\n    pass\n\n\nK = 3\n\n\nclass Tally:\n    pass\n\n\nlast = 1\n"
    )
    idea, fails, sources = split(text)
    assert (idea, fails) == ("Idea.", {"a": "b"})
    assert sources["center"].startswith("import math")
    assert sources["center"].endswith("def center(x, weight):\n    pass\n")
    assert "@cache" in sources["center"]
    assert "FAILS" not in sources["center"]
    assert sources["Tally"] == "K = 3\n\n\nclass Tally:\n    pass\n\n\nlast = 1\n"


def test_a_solution_file_is_read_and_never_run(tmp_path):
    flag = tmp_path / "ran"
    split(f"open({str(flag)!r}, 'w')\ndef center(): pass\n")
    assert not flag.exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def centre(): pass", "none of the holes"),
        ("def center(:", r"s\.py:1"),
        ("FAILS = dict(a='b')\ndef center(): pass", "no literal"),
        ("def center(): pass\ndef center(): pass", "defined twice"),
    ],
)
def test_a_malformed_solution_is_refused(text, words):
    with pytest.raises(CourseError, match=words):
        split(text)


def test_a_course_without_solutions_grades_and_says_so_when_asked_for_them(copy):
    shutil.rmtree(copy / "solutions")
    assignment = catalog.find_course(copy).assignment("1")
    assert assignment.max_points == 6
    with pytest.raises(CourseError, match="solutions come with the repository"):
        assignment.solutions()


def test_the_syllabus_of_this_course_lists_each_thing_of_its_weeks():
    syllabus = catalog.find_course(Path(__file__).parents[2]).syllabus
    for kind in ("lessons", "labs", "quizzes", "assignments"):
        listed = [i for week in syllabus["weeks"] for i in week[kind]]
        known = schema.load_papers() if kind == "quizzes" else syllabus[kind]
        assert sorted(listed) == sorted(known)
        assert len(set(listed)) == len(listed)


def test_the_closed_symbols_of_every_assignment_that_exists_are_there():
    course = catalog.find_course(Path(__file__).parents[2])
    for assignment in course.assignments():
        for symbol in course.syllabus["assignments"][assignment]["closed"]:
            module, _, name = symbol.rpartition(".")
            assert hasattr(importlib.import_module(module), name), symbol
