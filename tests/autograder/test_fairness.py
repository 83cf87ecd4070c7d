"""What must cost no points: each case is a submission that is right, graded in the sandbox."""

from __future__ import annotations

import json

import pytest

from autograder import grade, handout
from autograder.classroom import Classroom

CENTER = """def center(x, weight):
    {0}
    return (x - np.mean(x, axis=-1, keepdims=True)) * weight
"""
LOUD = """
import logging, sys, warnings
print("loading")
print("loading", file=sys.stderr)
warnings.warn("loading")
"""
NOISE = (
    'import sys, warnings; print("x" * 10000); print("err", file=sys.stderr); '
    'warnings.warn("old", DeprecationWarning); np.float64(0) / np.float64(0)'
)


def code(source):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": []}


def hole(notebook, name="center"):
    return next(c for c in notebook["cells"] if c["id"] == name)


def extra(*sources, at=0):
    """An edit that puts cells of the student's own into the notebook."""

    def edit(notebook):
        notebook["cells"][at:at] = [code(s) for s in sources]

    return edit


def moved(notebook):
    notebook["cells"].reverse()


def twice(notebook):
    notebook["cells"].append(dict(hole(notebook)))


def no_metadata(notebook):
    for cell in notebook["cells"]:
        cell["metadata"] = {}


def no_ids(notebook):
    for cell in notebook["cells"]:
        cell.pop("id")
        cell["metadata"] = {}


def as_text(notebook):
    hole(notebook)["cell_type"] = "raw"


def tagged(notebook):
    for cell in notebook["cells"]:
        cell["metadata"]["tags"] = ["skip-execution", "raises-exception"]


def no_checks(notebook):
    notebook["cells"] = [c for c in notebook["cells"] if not c["id"].startswith("check_")]


def helper_in_imports(notebook):
    cell = next(c for c in notebook["cells"] if "Checker(" in c["source"])
    cell["source"] += "\nimport math as m\nfrom functools import partial\n"


def name_in_conflict(text):
    """A merge that git could not finish, in a cell that is nobody's task."""
    return text.replace(
        '"cell_type": "markdown"', '<<<<<<< HEAD\n"cell_type": "markdown"\n=======\n', 1
    )


def cut(text):
    """An upload that broke off after the last hole."""
    at = text.index('"id": "check_Tally"')
    return text[:at]


# name -> (source of center, or None for the reference; edit of the notebook; edit of its text)
CASES = {
    "prints, warnings and stderr while loading": (LOUD + CENTER.format("pass"), None, None),
    "prints, warnings and stderr in each call": (CENTER.format(NOISE), None, None),
    "a slow machine": (CENTER.format("import time; time.sleep(0.2)"), None, None),
    "renamed parameters": (
        "def center(rows, scale):\n    return (rows - rows.mean(-1, keepdims=True)) * scale\n",
        None,
        None,
    ),
    "extra cells that fail": (None, extra("1/0", "raise SystemExit", "import nothing_there"), None),
    "extra cells with magic": (None, extra("%matplotlib inline\n!ls", "%%time\n1"), None),
    "a scratch copy of a name": (None, extra("center = 3", "Tally = None", at=99), None),
    "cells moved": (None, moved, None),
    "a cell twice": (None, twice, None),
    "metadata lost": (None, no_metadata, None),
    "ids and metadata lost": (None, no_ids, None),
    "a cell made text": (None, as_text, None),
    "tags on every cell": (None, tagged, None),
    "check cells deleted": (None, no_checks, None),
    "a function in a cell of its own": (
        "def center(x, weight):\n    return off(x) * weight\n",
        extra("AXIS = -1\nprint('scratch')\ndef off(x):\n    return x - mean_of(x)",
              "def mean_of(x):\n    return x.mean(AXIS, keepdims=True)"),
        None,
    ),
    "imports added to ours": (
        "def center(x, weight):\n"
        "    less = partial(np.mean, axis=-1, keepdims=True)(x)\n"
        "    return (x - less) * weight * m.floor(1)\n",
        helper_in_imports,
        None,
    ),
    "a git conflict elsewhere": (None, None, name_in_conflict),
    "an upload that broke off": (None, None, cut),
}  # fmt: skip
SILENT = 8  # the first cases need no note


@pytest.fixture(scope="module")
def records(tmp_path_factory, tiny, tiny_sources):
    """Case -> the record of its submission."""
    room = Classroom(tmp_path_factory.mktemp("fair"))
    room.make_secret()
    for i, (source, edit, damage) in enumerate(CASES.values()):
        right = dict(tiny_sources["reference"])
        if source:
            right["center"] = source
        notebook = json.loads(json.dumps(handout.fill(tiny.handout, right)))
        if edit:
            edit(notebook)
        text = json.dumps(notebook, indent=1)
        path = room.root / "submitted" / f"s{i:02d}" / tiny.id / f"{tiny.id}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(damage(text) if damage else text)
    grade.grade(room, tiny, jobs=2)
    known = room.results(tiny.id)
    return {name: known.get(f"s{i:02d}") for i, name in enumerate(CASES)}


@pytest.mark.parametrize("name", CASES)
def test_it_costs_no_points(records, name):
    failed = {r["check"]: r["message"] for r in records[name]["results"] if not r["points"]}
    assert failed == {}, records[name]["notes"]


@pytest.mark.parametrize("name", list(CASES)[:SILENT])
def test_what_is_nobodys_business_is_not_even_noted(records, name):
    assert records[name]["notes"] == []


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("a cell twice", "carry this id; cell"),
        ("metadata lost", "nbgrader's metadata was lost"),
        ("ids and metadata lost", "found by its name"),
        ("a cell made text", "the cell had become raw"),
        ("a function in a cell of its own", "AXIS, off: taken from cell 1"),
        ("imports added to ours", "m, partial: taken from cell"),
        ("a git conflict elsewhere", "broken JSON"),
        ("an upload that broke off", "5 cells could be read"),
    ],
)
def test_what_was_repaired_is_noted(records, name, note):
    assert any(note in n for n in records[name]["notes"]), records[name]["notes"]


def test_of_a_notebook_cut_in_the_middle_what_is_whole_is_graded(tmp_path, tiny, tiny_sources):
    room = Classroom(tmp_path)
    room.make_secret()
    text = json.dumps(handout.fill(tiny.handout, tiny_sources["reference"]), indent=1)
    path = tmp_path / "submitted" / "ada" / tiny.id / f"{tiny.id}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(text[: text.index("class Tally") + 40])
    grade.grade(room, tiny, jobs=1)
    (mark,) = grade.marks(room, tiny.id)
    assert mark.holes == {"center": (3, 3), "Tally": (0, 3)}
    assert "Tally: no cell with this id and none that defines it" in mark.notes
