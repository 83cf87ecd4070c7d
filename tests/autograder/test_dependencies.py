"""What a check depends on: what it reaches by name, and nothing of its neighbours'."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder import catalog, dependencies

TINY = Path(__file__).parent / "tiny"
CHECKS = {"center_rows", "center_dtype", "tally_counts", "tally_ties"}


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(TINY, tmp_path / "course"))


def changed(copy, name, old, new):
    """The checks whose digest changes with an edit."""
    before = catalog.find_course(copy).assignment("1").digests
    path = copy / "assignments" / "01_tiny" / name
    text = path.read_text() if path.exists() else ""
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else text + new)
    after = catalog.find_course(copy).assignment("1").digests
    return {check for check in before if before[check] != after[check]}


@pytest.mark.parametrize(
    ("name", "old", "new", "checks"),
    [
        ("checks.py", "rtol=1e-9", "rtol=1e-8", {"center_rows"}),
        ("checks.py", '"of equals the first"', '"another title"', {"tally_ties"}),
        ("checks.py", "hole=\"Tally\", points=2", "hole=\"Tally\", points=3", {"tally_counts"}),
        ("checks.py", "", "\n\ndef nobody_calls():\n    return 1\n", set()),
        ("checks.py", "", "\n# a comment, and    layout\n", set()),
        ("meaning.py", "x.mean(-1", "x.mean(1", {"center_rows"}),
        ("meaning.py", "", "\nUNUSED = 3\n", set()),
        # it may change what others bind, and runs wherever the file is reached
        ("meaning.py", "", "\nif True:\n    center = None\n", {"center_rows"}),
        ("checks.py", "", "\nfor _ in ():\n    pass\n", CHECKS),
        ("hints.yaml", "\n", "\n# changed\n", CHECKS),
        ("data.csv", "", "1,2\n", CHECKS),
        ("handout.py", "\n", "\n# changed\n", set()),
    ],
)  # fmt: skip
def test_a_change_concerns_the_checks_that_reach_it(copy, name, old, new, checks):
    assert changed(copy, name, old, new) == checks


def test_a_name_is_followed_through_functions_tables_and_local_imports(copy):
    folder = copy / "assignments" / "01_tiny"
    (folder / "deep.py").write_text("LIMIT = 1e-9\nOTHER = 2\nTABLE = {'a': LIMIT}\n")
    text = (folder / "checks.py").read_text()
    text = text.replace("rtol=1e-9", "rtol=limit()")
    text += "\n\ndef limit():\n    import deep\n\n    return deep.TABLE['a']\n"
    (folder / "checks.py").write_text(text)
    assert changed(copy, "deep.py", "1e-9", "1e-8") == {"center_rows"}
    assert changed(copy, "deep.py", "OTHER = 2", "OTHER = 3") == set()


def test_names_reached_by_text_make_the_whole_folder_count(copy):
    folder = copy / "assignments" / "01_tiny"
    text = (folder / "checks.py").read_text()
    (folder / "checks.py").write_text(text.replace("rtol=1e-9", 'rtol=globals()["LIMIT"]'))
    assert changed(copy, "checks.py", "", "\nLIMIT = 1e-9\n") == {"center_rows"}


def test_a_file_of_the_grader_that_judges_concerns_all(copy, monkeypatch, tmp_path):
    before = catalog.find_course(copy).assignment("1").digests
    monkeypatch.setattr(dependencies, "JUDGES", (*dependencies.JUDGES, "grade"))
    after = catalog.find_course(copy).assignment("1").digests
    assert {c for c in before if before[c] != after[c]} == CHECKS
