"""A handout is a subset of jupytext's percent format, and its fillings are notebooks."""

from __future__ import annotations

import ast

import jupytext
import nbformat
import pytest

from autograder import handout
from autograder.errors import CourseError

HEAD = '"""Head."""\n'
TEXT = "# %% [markdown]\n# # Title\n#\n# text\n"
HOLE = '# %% hole="f"\ndef f(x):\n    """Doc."""\n    raise NotImplementedError\n'
CHECK = '# %% check="f"\ncheck("f")\n'


@pytest.fixture
def parse(tmp_path):
    def parse(text, **kwargs):
        path = tmp_path / "01_x" / "handout.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return handout.parse(path, **kwargs)

    return parse


def test_jupytext_reads_the_same_cells(tiny):
    theirs = jupytext.read(tiny.handout.path, fmt="py:percent").cells[1:]  # the head is its first
    ours = tiny.handout.cells
    assert [c.source for c in ours] == [c.source for c in theirs]
    kinds = ["markdown" if c.kind == "markdown" else "code" for c in ours]
    assert kinds == [c.cell_type for c in theirs]
    assert [c.name for c in ours if c.kind == "hole"] == [
        c.metadata["hole"] for c in theirs if "hole" in c.metadata
    ]


def test_cells_have_stable_ids_and_the_title_is_the_first_heading(parse):
    read = parse(HEAD + TEXT + HOLE + CHECK)
    assert [c.id for c in read.cells] == ["text_01", "f", "check_f"]
    assert (read.title, read.assignment, read.holes) == ("Title", "01_x", ("f",))
    assert read.cells[0].source == "# Title\n\ntext"


def test_the_students_notebook_is_valid_and_nbgrader_finds_points_and_locks(tiny):
    notebook = handout.student_notebook(tiny.handout)
    nbformat.validate(notebook)
    rows = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader for c in notebook.cells}
    assert rows["check_center"].points == 3
    assert rows["check_center"].grade
    assert rows["check_center"].locked
    assert rows["center"].solution
    assert not rows["center"].locked
    assert "points" not in rows["center"]
    assert [rows[i].locked for i in ("text_01", "code_02")] == [True, True]


def test_filling_changes_the_holes_alone(tiny, tiny_sources):
    filled = handout.fill(tiny.handout, {"center": "def center(x, weight):\n    return x"})
    stub = handout.student_notebook(tiny.handout)
    differing = [a.id for a, b in zip(filled.cells, stub.cells, strict=True) if a != b]
    assert differing == ["center"]
    with pytest.raises(CourseError, match="centre"):
        handout.fill(tiny.handout, {"centre": ""})


def regions_cleared(source: str) -> str:
    """What nbgrader's ClearSolutions leaves, with the stub set to a comment."""
    out, inside = [], False
    for line in source.splitlines():
        if "### BEGIN SOLUTION" in line:
            inside = True
            out.append(line.replace("### BEGIN SOLUTION", "raise NotImplementedError"))
        elif "### END SOLUTION" in line:
            inside = False
        elif not inside:
            out.append(line)
    return "\n".join(out)


def test_the_source_notebook_solves_every_hole_and_clearing_it_gives_the_stub(tiny):
    notebook = handout.source_notebook(tiny.handout, tiny.reference.sources)
    nbformat.validate(notebook)
    namespace = {"np": __import__("numpy")}
    for cell in notebook.cells:
        if cell.id in tiny.handout.holes:
            exec(cell.source, namespace)
            cleared = ast.dump(ast.parse(regions_cleared(cell.source)))
            assert cleared == ast.dump(ast.parse(tiny.handout.stubs[cell.id]))
    tally = namespace["Tally"]()
    tally.add("a")
    assert tally.most() == "a"


def test_imports_and_helpers_before_a_function_move_into_its_region(parse):
    read = parse(HOLE + CHECK)
    reference = (
        "import math\n\n# why\ndef half(x):\n    return x / 2\n\n"
        "def f(x):\n    'doc'\n    # y\n    return half(x) * math.pi\n"
    )
    source = handout.source_notebook(read, {"f": reference}).cells[0].source
    namespace = {}
    exec(source, namespace)
    assert namespace["f"](2) == pytest.approx(3.14159, abs=1e-4)
    assert "# why" in source
    assert "# y" in source
    assert regions_cleared(source).split() == read.stubs["f"].split()


def test_what_a_class_cannot_hide_is_refused(tiny):
    extra = tiny.reference.sources["Tally"] + "\n    def helper(self):\n        pass\n"
    with pytest.raises(CourseError, match="helper"):
        handout.source_notebook(tiny.handout, {**tiny.reference.sources, "Tally": extra})
    with pytest.raises(CourseError, match="leaves out Tally"):
        handout.source_notebook(tiny.handout, {"center": tiny.reference.sources["center"]})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no cell"),
        ("# %% hole=f\n", r"handout\.py:1: .*want \[markdown\]"),
        ("# %% [raw]\n", "want"),
        (TEXT + "bare text\n" + HOLE + CHECK, "without '# '"),
        (HOLE, "no check cell for f"),
        (CHECK + HOLE, "no such hole above"),
        (HOLE + HOLE + CHECK, "given twice"),
        ('# %% hole="g"\ndef f(): pass\n# %% check="g"\n', "defines no g"),
        ('# %% hole="g"\ndef g(:\n# %% check="g"\n', "defines no g"),
    ],
)
def test_a_malformed_handout_is_refused_with_file_and_reason(parse, text, words):
    with pytest.raises(CourseError, match=words):
        parse(text)


def test_points_for_what_is_no_hole_are_refused(parse):
    with pytest.raises(CourseError, match="g, which is no hole"):
        parse(HOLE + CHECK, points={"g": 1})


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(CourseError, match="cannot be read"):
        handout.parse(tmp_path / "handout.py")
    (tmp_path / "handout.py").write_bytes(b"\xff\xfe# %%")
    with pytest.raises(CourseError, match="cannot be read"):
        handout.parse(tmp_path / "handout.py")
