"""Lessons as notebooks: the text and the cells of each page, to be run and changed by its reader.

    python -m course.site --notebooks            build/site/instructors/lessons.zip
    python -m course.site --notebooks --student  the students': closed code left out

Cells come without outputs. A number in a sentence is the one that the page shows, from the same run
of the same cells. What a page writes in directives (directives.py) is written here in Markdown: a
notebook needs no extension to show it. Owns: that writing, the zip. Must not know: Sphinx.
Read before: lessons.py, execution.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from autograder import notebooks, packing
from course.site import execution, sources
from course.site.closed import closed_by, left_out
from course.site.lessons import LessonError, Staged
from course.site.symbols import find, part_of

PAGE = re.compile(r"\[([^\]]+)\]\(([\w/.-]+)\.md(?:#[\w-]+)?\)")
VALUE = re.compile(r"\{glue:text\}`(\w+)`")
HIDDEN = {"jupyter": {"source_hidden": True}}
README = """\
# Lessons

{titles}

Install the course's wheel as its guide says, then:

    jupyter lab {first}.ipynb

Run the cells from the top; change them and run them again.
The answer of a self-check unfolds when you click on it.
Numbers in the sentences, times among them, are of the machine on which these files were made.
"""


def write_zip(path: Path, syllabus: Mapping[str, Any], cache: Path, *, student: bool) -> list[str]:
    """Write all lessons into one zip; the names in it. What `cache` has is not run again.

    Raises: LessonError where a cell fails or a directive has no form here.
    """
    files = [packing.Packed("lessons/README.md", readme(syllabus).encode())]
    for page, name, staged in sources.staged_lessons(student=student):
        if page.startswith("lessons/"):
            values = {
                k: v for c in execution.run(staged, name, cache) for k, v in c.values().items()
            }
            made = notebook(staged, values, syllabus, student=student)
            text = notebooks.text(made)
            files.append(packing.Packed(page.replace(".md", ".ipynb"), text.encode()))
    return packing.write(path, files)


def readme(syllabus: Mapping[str, Any]) -> str:
    """What is in the zip, in the order of the weeks, and how to open it."""
    order = [id_ for week in syllabus["weeks"] for id_ in week["lessons"]]
    titles = [f"- `{id_}.ipynb`: {syllabus['lessons'][id_]['title']}" for id_ in order]
    return README.format(titles="\n".join(titles), first=order[0])


def notebook(
    staged: Staged, values: Mapping[str, str], syllabus: Mapping[str, Any], *, student: bool
) -> notebooks.NotebookNode:
    """A lesson's cells. ``values`` are those of its sentences, by the keys of its claims."""
    cells = [
        c for cell in execution.read(staged).cells for c in of_cell(cell, values, syllabus, student)
    ]
    for n, cell in enumerate(cells, 1):
        cell["id"] = f"cell-{n}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebooks.from_dict(
        {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    )


def of_cell(
    cell: Any, values: Mapping[str, str], syllabus: Mapping[str, Any], student: bool
) -> Iterator[dict[str, Any]]:
    """A cell as it stands in the notebook; none of one that computes values of sentences alone."""
    if cell.cell_type != "code":
        text = prose(cell.source, values, syllabus, student=student)
        yield {"cell_type": "markdown", "metadata": {}, "source": text}
    elif "myst_nb import glue" not in cell.source:
        tags = [t for t in cell.metadata.get("tags", ()) if t == "raises-exception"]
        folded = {"hide-input", "remove-cell"} & set(cell.metadata.get("tags", ()))
        metadata = (HIDDEN if folded else {}) | ({"tags": tags} if tags else {})
        code = {"cell_type": "code", "metadata": metadata, "source": cell.source}
        yield code | {"execution_count": None, "outputs": []}


def prose(
    text: str, values: Mapping[str, str], syllabus: Mapping[str, Any], *, student: bool
) -> str:
    """Markdown that a notebook shows: values put in, directives written out, links between lessons.

    Raises: LessonError for a directive that has no form here.
    """
    text = PAGE.sub(link, VALUE.sub(lambda found: values[found[1]], text))
    out: list[str] = []
    lines = iter(text.split("\n"))
    for line in lines:
        if opened := re.match(r":::\{([\w-]+)\}\s*(.*)", line):
            inside = list(iter(lambda: next(lines, ":::"), ":::"))
            if opened[1] not in FORMS:
                raise LessonError(f"{opened[1]}: no form in a notebook")
            out += FORMS[opened[1]](opened[2], inside, syllabus if student else {})
        else:
            out.append(line)
    return "\n".join(out)


def link(found: re.Match[str]) -> str:
    """Another lesson's notebook is beside this one; of other pages only the words are left."""
    lesson = re.fullmatch(r"(?:\.\./lessons/)?(\d\.\d)", found[2])
    return f"[{found[1]}]({lesson[1]}.ipynb)" if lesson else found[1]


def code_of(name: str, inside: Iterable[str], syllabus: Mapping[str, Any]) -> list[str]:
    """The symbol's text, or the sentence that says whose task it is."""
    if titles := closed_by(syllabus, name):
        return [f"`{name}`{left_out(titles)}"]
    symbol, options = find(name), dict(re.findall(r":(\w+): (.*)", "\n".join(inside)))
    text, first, last = part_of(symbol, options.get("part", ""))
    head = f"{options['caption']}: " if "caption" in options else ""
    where = f"{head}`{name}`, {symbol.path.as_posix()}, lines {first} to {last}:"
    return [where, "", f"```{symbol.language}", *text.split("\n"), "```"]


def box(title: str) -> Callable[[str, Iterable[str], Mapping[str, Any]], list[str]]:
    """A quotation with a title."""

    def written(more: str, inside: Iterable[str], syllabus: Mapping[str, Any]) -> list[str]:
        head = f"> **{title}{': ' + more if more else ''}**"
        return [head, ">", *(f"> {line}".rstrip() for line in inside)]

    return written


def self_check(more: str, inside: list[str], syllabus: Mapping[str, Any]) -> list[str]:
    """The question, and the answer to be unfolded."""
    cut = next(i for i, line in enumerate(inside) if re.fullmatch(r"-{3,}", line.strip()))
    answer = ["<details><summary>Answer</summary>", "", *inside[cut + 1 :], "", "</details>"]
    return [*box("Self-check")(more, inside[:cut], syllabus), "", *answer]


FORMS: dict[str, Callable[[str, list[str], Mapping[str, Any]], list[str]]] = {
    "code-of": code_of,
    "predict": box("Predict, then run"),
    "pitfall": box("Pitfall"),
    "self-check": self_check,
}
