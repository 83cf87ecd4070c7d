"""A handout: percent text with named holes, and the notebooks that different fillings make of it.

    # %% [markdown]          text, every line a comment
    # %%                     a code cell of ours
    # %% hole="rms_norm"     a stub: def or class of that name, docstring, raise NotImplementedError
    # %% check="rms_norm"    the check cell of that hole: check("rms_norm")
    # %% answer="design" points="4"   text that a student writes and a human gives points for

Text before the first cell is the file's head and stands in no notebook. The format is a subset of
jupytext's that forty lines read, so that a student's machine needs no jupytext (a test compares).
Owns: this format, cell ids and nbgrader's cell metadata.
Must not know: submissions, checks, points (they are handed in). Read before: errors.py.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.errors import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

MARKER = re.compile(r"^# %%(?P<rest>.*)$")
OPTION = re.compile(
    r'^(?P<kind>hole|check|answer)\s*=\s*"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"'
    r'(\s+points\s*=\s*"(?P<points>[0-9]+(\.[0-9]+)?)")?$'
)
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class Cell:
    """One cell; ``kind`` is markdown, code, hole, check or answer.

    ``name`` is the hole of a hole and a check, or the answer's own; ``points`` are an answer's.
    """

    kind: str
    source: str
    id: str
    name: str = ""
    points: float = 0.0

    @property
    def is_text(self) -> bool:
        return self.kind in ("markdown", "answer")


@dataclass(frozen=True)
class Handout:
    """The cells of an assignment in order; ``points`` per hole stand on its check cell."""

    path: Path
    title: str
    cells: tuple[Cell, ...]
    points: Mapping[str, float] = field(default_factory=dict)

    @property
    def assignment(self) -> str:
        """The assignment's id: the folder's name, or that of a lab's file."""
        return self.path.parent.name if self.path.name == "handout.py" else self.path.stem

    @property
    def holes(self) -> tuple[str, ...]:
        """Names of the holes in the order of the text."""
        return tuple(c.name for c in self.cells if c.kind == "hole")

    @property
    def stubs(self) -> dict[str, str]:
        """What stands in each hole when a student gets it."""
        return {c.name: c.source for c in self.cells if c.kind == "hole"}

    @property
    def answers(self) -> dict[str, str]:
        """What stands in each answer when a student gets it."""
        return {c.name: c.source for c in self.cells if c.kind == "answer"}

    @property
    def by_hand(self) -> dict[str, float]:
        """The most points that a human can give for each answer."""
        return {c.name: c.points for c in self.cells if c.kind == "answer"}


def parse(path: Path | str, points: Mapping[str, float] | None = None) -> Handout:
    """Read a handout. CourseError says file:line and what is wrong."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: cannot be read: {error}") from None
    cells = tuple(_cells(path, text.splitlines()))
    title = next((c.source for c in cells if c.kind == "markdown"), path.parent.name)
    handout = Handout(path, title.splitlines()[0].lstrip("# ").strip(), cells, dict(points or {}))
    _validate(handout)
    return handout


def student_notebook(handout: Handout) -> NotebookNode:
    """The notebook with stubs in its holes."""
    return fill(handout, {})


def fill(handout: Handout, sources: Mapping[str, str]) -> NotebookNode:
    """The notebook with these sources in its holes and answers; what is not named keeps its stub.

    CourseError for a name that is neither.
    """
    unknown = sorted(set(sources) - set(handout.holes) - set(handout.answers))
    if unknown:
        raise CourseError(f"{handout.assignment}: no hole named {', '.join(unknown)}")
    theirs = ("hole", "answer")
    return _notebook(
        handout, lambda c: sources.get(c.name, c.source) if c.kind in theirs else c.source
    )


def source_notebook(handout: Handout, reference: Mapping[str, str]) -> NotebookNode:
    """nbgrader's source notebook: each hole solved, the solution between BEGIN and END SOLUTION.

    ``nbgrader generate_assignment`` makes the students' notebook of it. What stands before the
    function in the reference (an import, a helper) goes into the function's body, so that the
    region holds all of it. CourseError for a hole that the reference does not fill.
    """
    missing = sorted(set(handout.holes) - set(reference))
    if missing:
        raise CourseError(f"{handout.assignment}: the reference leaves out {', '.join(missing)}")

    def source(cell: Cell) -> str:
        if cell.kind != "hole":
            return cell.source
        return _solved(cell.name, cell.source, reference[cell.name])

    return _notebook(handout, source)


def _cells(path: Path, lines: list[str]) -> list[Cell]:
    """Split at the markers."""
    starts = [i for i, line in enumerate(lines) if MARKER.match(line)]
    if not starts:
        raise CourseError(f"{path}:1: no cell: want lines that begin with '# %%'")
    cells = []
    for n, (start, end) in enumerate(zip(starts, [*starts[1:], len(lines)], strict=True), 1):
        where = f"{path}:{start + 1}"
        rest = MARKER.match(lines[start])["rest"].strip()
        body = "\n".join(lines[start + 1 : end]).strip("\n")
        if rest == "[markdown]":
            cells.append(Cell("markdown", _markdown(where, body), f"text_{n:02d}"))
        elif rest == "":
            cells.append(Cell("code", body, f"code_{n:02d}"))
        elif option := OPTION.match(rest):
            cells.append(_named(where, body, option))
        else:
            raise CourseError(
                f'{where}: "{rest}": want [markdown], hole="NAME", check="NAME" or '
                'answer="NAME" points="N"'
            )
    return cells


def _named(where: str, body: str, option: re.Match) -> Cell:
    """A hole, a check or an answer; points are given with an answer and with nothing else."""
    kind, name, points = option["kind"], option["name"], float(option["points"] or 0)
    if (kind == "answer") != (points > 0):
        raise CourseError(f"{where}: {kind} {name}: points of {points:g}")
    if kind == "answer":
        return Cell(kind, _markdown(where, body), name, name, points)
    return Cell(kind, body, name if kind == "hole" else f"check_{name}", name)


def _markdown(where: str, body: str) -> str:
    lines = body.splitlines()
    for i, line in enumerate(lines, 1):
        if line and not line.startswith("#"):
            raise CourseError(
                f"{where} + {i}: a line of text without '# ' before it: {line[:40]!r}"
            )
    return "\n".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)


def _validate(handout: Handout) -> None:
    """Each hole once, a stub that compiles, one check cell after it; no id twice."""
    where, seen = handout.path, set()
    for cell in handout.cells:
        if cell.id in seen:
            raise CourseError(f"{where}: {cell.kind} {cell.name or cell.id}: given twice")
        seen.add(cell.id)
        if cell.kind == "hole" and cell.name not in defined(cell.source):
            raise CourseError(f"{where}: hole {cell.name}: the stub defines no {cell.name}")
        if cell.kind == "check" and cell.name not in seen:
            raise CourseError(f"{where}: check {cell.name}: no such hole above it")
    bare = [h for h in handout.holes if f"check_{h}" not in seen]
    if bare:
        raise CourseError(f"{where}: no check cell for {', '.join(bare)}")
    unknown = sorted(set(handout.points) - set(handout.holes))
    if unknown:
        raise CourseError(f"{where}: checks for {', '.join(unknown)}, which is no hole")


def defined(source: str) -> set[str]:
    """Names of the functions and classes at a source's top level; none if it does not compile."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    kinds = ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef
    return {node.name for node in tree.body if isinstance(node, kinds)}


def _notebook(handout: Handout, source: Any) -> NotebookNode:
    from autograder.notebooks import from_dict  # late: a student's machine may lack nbformat

    cells = []
    for cell in handout.cells:
        row: dict[str, Any] = {
            "id": cell.id,
            "cell_type": "markdown" if cell.is_text else "code",
            "metadata": {"nbgrader": nbgrader_metadata(handout, cell)},
            "source": source(cell),
        }
        if row["cell_type"] == "code":
            row |= {"execution_count": None, "outputs": []}
        if cell.kind not in ("hole", "answer"):
            row["metadata"] |= {"deletable": False, "editable": False}
        else:
            row["metadata"] |= {"deletable": False}
        cells.append(row)
    metadata = {"kernelspec": dict(KERNEL), "language_info": {"name": "python"}}
    metadata["autograder"] = {"assignment": handout.assignment}
    return from_dict({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5})


def nbgrader_metadata(handout: Handout, cell: Cell) -> dict[str, Any]:
    """nbgrader's metadata, schema 3: a hole is a solution, its check a locked test with points.

    An answer is both solution and grade, which nbgrader calls a manually graded answer.
    """
    answer = cell.kind == "answer"
    row: dict[str, Any] = {
        "schema_version": 3,
        "grade_id": cell.id,
        "grade": cell.kind == "check" or answer,
        "solution": cell.kind == "hole" or answer,
        "locked": cell.kind != "hole" and not answer,
        "task": False,
    }
    if cell.kind == "check":
        row["points"] = handout.points.get(cell.name, 0)
    elif answer:
        row["points"] = cell.points
    return row


def _solved(hole: str, stub: str, reference: str) -> str:
    """The stub with the reference's body in place of its raise, between nbgrader's marks."""
    target, _ = _definition(hole, stub)
    solved, before = _definition(hole, reference)
    if isinstance(target, ast.ClassDef):
        return _solved_class(stub, target, reference, solved, before)
    body = [n for n in solved.body if not _is_docstring(n, solved)]
    parts = [_text(reference, n) for n in before] + [_text(reference, n) for n in body]
    return _replace_body(stub, [(target, "\n".join(parts))])


def _solved_class(
    stub: str, target: ast.ClassDef, reference: str, solved: ast.ClassDef, before: list[ast.stmt]
) -> str:
    """Method by method; what has no place in the stub's class cannot be hidden from a student."""
    where = f"class {target.name}"
    theirs = {n.name: n for n in target.body if isinstance(n, ast.FunctionDef)}
    ours = {n.name: n for n in solved.body if isinstance(n, ast.FunctionDef)}
    extra = sorted(set(ours) - set(theirs)) + ["what stands before the class"] * bool(before)
    if extra:
        raise CourseError(f"{where}: {', '.join(extra)}: not in the stub, so it has no place there")
    pairs = []
    for method, node in theirs.items():
        if method not in ours:
            raise CourseError(f"{where}: the reference has no method {method}")
        body = [n for n in ours[method].body if not _is_docstring(n, ours[method])]
        pairs.append((node, "\n".join(_text(reference, n) for n in body)))
    return _replace_body(stub, pairs)


def _definition(hole: str, source: str) -> tuple[Any, list[ast.stmt]]:
    """(the last definition of this name, the other statements)."""
    body = ast.parse(source).body
    kinds = ast.FunctionDef | ast.ClassDef
    for node in reversed(body):
        if isinstance(node, kinds) and node.name == hole:
            return node, [n for n in body if n is not node]
    raise CourseError(f"hole {hole}: the reference defines no such function or class")


def _is_docstring(node: ast.stmt, parent: Any) -> bool:
    return node is parent.body[0] and ast.get_docstring(parent, clean=False) is not None


def _text(source: str, node: ast.AST) -> str:
    """The text of a statement, with the comment lines right above it, at no indentation."""
    lines = source.splitlines()
    start = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
    while start and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return textwrap.dedent("\n".join(lines[start : node.end_lineno]))


def _replace_body(stub: str, pairs: list[tuple[Any, str]]) -> str:
    """The stub with the statements of these functions, docstrings kept, replaced by the texts."""
    lines = stub.splitlines()
    for node, text in sorted(pairs, key=lambda p: -p[0].lineno):
        body = [n for n in node.body if not _is_docstring(n, node)]
        first = body[0].lineno - 1 if body else node.end_lineno
        indent = " " * node.body[0].col_offset
        marked = f"### BEGIN SOLUTION\n{text}\n### END SOLUTION"
        lines[first : node.end_lineno] = textwrap.indent(marked, indent).splitlines()
    return "\n".join(lines)
