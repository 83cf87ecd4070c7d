"""Lessons as notebooks: what a page shows and a cell runs is in them, what is closed is not."""

from __future__ import annotations

import json
import re
import zipfile
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from autograder import catalog, leaks
from course.site import notebooks, sources
from course.site.__main__ import surroundings
from course.site.lessons import LessonError, stage
from course.site.symbols import find

ROOT = Path(__file__).resolve().parents[2]
CLOSED = "minengine.oracle.rms_norm"
SYLLABUS = {"assignments": {"a": {"title": "Transformer layer", "closed": [CLOSED]}}}
LESSONS = {
    page: staged for page, _, staged in sources.staged_lessons() if page.startswith("lessons/")
}
SMALL = """\
# A lesson

Read [lesson 2.3](2.3.md) and do [lab 2.2](../labs/2.2.md).

```{code-cell} python
:tags: [hide-input]
n = 6 * 7
n
```

The answer is {eval}`n`.

:::{self-check}
Why?
---
Because of {eval}`n // 6`.
:::
"""


def made(text: str, values=None, *, student=False):
    staged = stage(text, "course/lessons/x.md")
    return notebooks.notebook(staged, values or {}, SYLLABUS, student=student)


def words(notebook) -> str:
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def test_a_sentence_has_the_number_of_the_page_and_a_cell_its_code():
    notebook = made(SMALL, {"n1": "42", "n2": "7"})
    nbformat.validate(notebook)
    assert "The answer is 42." in words(notebook)
    assert "Because of 7." in words(notebook)
    (cell,) = [c for c in notebook.cells if c.cell_type == "code"]
    assert cell.source == "n = 6 * 7\nn"
    assert cell.metadata.jupyter.source_hidden
    assert cell.outputs == []


def test_a_lesson_leads_to_the_notebook_beside_it_and_other_pages_are_words():
    text = words(made(SMALL, {"n1": "", "n2": ""}))
    assert "[lesson 2.3](2.3.ipynb)" in text
    assert "do lab 2.2." in text


def test_an_answer_is_unfolded():
    text = words(made(SMALL, {"n1": "", "n2": ""}))
    assert "> **Self-check**\n>\n> Why?" in text
    assert "<details><summary>Answer</summary>\n\nBecause" in text


def test_code_of_a_closed_symbol_is_left_out_for_students():
    text = f"# L\n\n:::{{code-of}} {CLOSED}\n:::\n\n```{{code-cell}} python\n1\n```\n"
    body = find(CLOSED).text.split("\n")[-1].strip()
    assert body in words(made(text))
    assert body not in words(made(text, student=True))
    assert "“Transformer layer”" in words(made(text, student=True))


def test_a_directive_without_a_form_is_an_error():
    with pytest.raises(LessonError, match="embed"):
        made("# L\n\n:::{embed} x.html\n:::\n\n```{code-cell} python\n1\n```\n")


@pytest.mark.parametrize("page", LESSONS)
def test_every_lesson_has_a_form_with_nothing_left_over(page):
    staged = LESSONS[page]
    values = {c.key: "0" for c in staged.claims}
    notebook = notebooks.notebook(staged, values, sources.syllabus(), student=True)
    nbformat.validate(notebook)
    text = words(notebook)
    assert not re.search(r"^:::|\{eval\}|\{glue|\]\([^)]*\.md", text, flags=re.M)
    assert len([c for c in notebook.cells if c.cell_type == "code"]) > 10
    for name in re.findall(r"^:::\{code-of\} (\S+)", staged.text, flags=re.M):
        assert f"`{name}`" in text


def test_a_students_notebook_has_no_two_lines_of_a_task():
    """One line may stand in code that is shown for another reason, as in the students' wheel."""
    course = catalog.find_course(ROOT)
    sought = {}
    for name in course.graded():
        lines = leaks.lines_of(course.assignment(name).reference.sources)
        sought |= {line: f"{name} {hole}" for line, hole in lines.items()}
    files = []
    for page, staged in LESSONS.items():
        values = {c.key: "0" for c in staged.claims}
        made = notebooks.notebook(staged, values, sources.syllabus(), student=True)
        files.append((page, "\n".join(c.source for c in made.cells).encode()))
    found = Counter(where.rpartition(": ")[0] for where in leaks.find(files, sought))
    assert {w: n for w, n in found.items() if n > 1} == {}


@pytest.fixture
def small_course(monkeypatch):
    """A course of one short lesson."""
    staged = stage(SMALL, "course/lessons/2.1.md")
    monkeypatch.setattr(
        sources,
        "staged_lessons",
        lambda student: [("lessons/2.1.md", "course/lessons/2.1.md", staged)],
    )
    lessons = {"2.1": {"title": "A lesson"}}
    return SYLLABUS | {"weeks": [{"lessons": ["2.1"]}], "lessons": lessons}


@pytest.mark.timeout(300)
def test_the_zip_has_each_lesson_and_it_runs_where_it_is_unpacked(
    tmp_path, small_course, monkeypatch
):
    for name, value in surroundings(tmp_path).items():
        monkeypatch.setenv(name, value)
    path, cache = tmp_path / "lessons.zip", tmp_path / "cache"
    names = notebooks.write_zip(path, small_course, cache, student=True)
    assert names == ["lessons/README.md", "lessons/2.1.ipynb"]
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "home")
    folder = tmp_path / "home" / "lessons"
    assert "- `2.1.ipynb`: A lesson" in (folder / "README.md").read_text(encoding="utf-8")
    notebook = nbformat.from_dict(json.loads((folder / "2.1.ipynb").read_text(encoding="utf-8")))
    assert "The answer is 42." in words(notebook)
    NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    (cell,) = [c for c in notebook.cells if c.cell_type == "code"]
    assert cell.outputs[0]["data"]["text/plain"] == "42"
    first = path.read_bytes()
    notebooks.write_zip(path, small_course, cache, student=True)
    assert path.read_bytes() == first


def test_the_list_of_the_zip_is_in_the_order_of_the_weeks():
    text = notebooks.readme(sources.syllabus())
    listed = re.findall(r"`(\d\.\d)\.ipynb`", text)
    assert listed == [i for week in sources.syllabus()["weeks"] for i in week["lessons"]]
    assert f"jupyter lab {listed[0]}.ipynb" in text
