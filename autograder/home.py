"""``autograder check`` and ``package``: a student's own notebook, at home, offline.

Reads the notebook, runs its holes in a sandbox if there is one and in a plain child process if not,
and shows all there is to see. Needs none of the grading extra. Owns: this one command's work.
Must not know: secrets, classes, marks. Read before: grade.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.text import Text

from autograder import grade, sandbox, submission
from autograder import package as packages
from autograder.catalog import Assignment, Course
from autograder.checker import CALLED
from autograder.checks import Result, Seeds
from autograder.errors import CourseError, SubmissionError
from autograder.pages import printable


def check(
    notebook: Path,
    course: Course,
    name: str | None = None,
    only: list[str] | None = None,
    seed: int = 0,
    every: bool = False,
) -> dict[str, Any]:
    """Run the visible checks (``every`` one, or ``only`` these) of a notebook on a public draw.

    -> assignment, notebook, sandbox, sandboxed, notes, passed, results. CourseError for an unknown
    check or assignment, SubmissionError for what is no notebook.
    """
    assignment = course.assignment(name or _assignment_of(notebook, course))
    known = [c.id for c in assignment.checks]
    unknown = sorted(set(only or ()) - set(known))
    if unknown:
        raise CourseError(f"no check {', '.join(unknown)}; there is {', '.join(known)}")
    shown = [c.id for c in assignment.checks if every or c.visibility == "visible"]
    found = submission.read(notebook.resolve(), assignment.handout)
    backend = sandbox.choose(allow_unsandboxed=True)
    rows = grade.judge(
        assignment, dict(found.holes), Seeds((seed,)), backend, reveal=True, only=only or shown
    )
    results = [r.to_dict() for r in rows]
    return {
        "assignment": assignment.id,
        "notebook": str(notebook),
        "sandbox": backend.name,
        "sandboxed": backend.sandboxed,
        "notes": [*found.notes, *grade.where_names_are(results, found.elsewhere)],
        "passed": all(r.passed for r in rows),
        "results": results,
        "ladder": _ladder(assignment, rows),
    }


def package(
    notebook: Path, course: Course, name: str | None, to: Path
) -> tuple[dict[str, str], Path]:
    """The files of a notebook's package and where they go, for ``package.write``.

    CourseError where the assignment is no package.
    """
    assignment = course.assignment(name or _assignment_of(notebook, course))
    modules = vars(assignment.module).get("MODULES")
    if not modules:
        raise CourseError(f"{assignment.id} is no package: its tasks stand each for itself")
    found = submission.read(notebook.resolve(), assignment.handout)
    title = assignment.handout.title
    return packages.texts(found.holes, modules, title), to


def show(verdict: dict[str, Any], out: Console) -> None:
    """The verdict for a person: each hole, each check, and for a failure its whole ladder.

    An idea that several checks of a hole fail for is explained at the first of them.
    """
    rows = [Result.from_dict(r) for r in verdict["results"]]
    for hole in dict.fromkeys(r.hole for r in rows):
        mine, said = [r for r in rows if r.hole == hole], set()
        got, most = sum(r.points for r in mine), sum(r.max_points for r in mine)
        color = "green" if got == most else "yellow" if got else "red"
        out.print(f"[b]{escape(hole)}[/b]  [{color}]{got:g} of {most:g} points[/{color}]")
        for r in mine:
            sign = "[green]passed[/green]" if r.passed else f"[red]{escape(r.status)}[/red]"
            out.print(f"  {sign}  {escape(printable(r.title))}", soft_wrap=True, highlight=False)
            if r.note:
                _line(out, r.note, "dim")
            if not r.passed:
                _explain(out, r, verdict["ladder"].get(r.tag, {}), r.tag in said)
                said.add(r.tag)
    for note in verdict["notes"]:
        out.print(f"[yellow]note[/yellow] {escape(printable(note))}", soft_wrap=True)
    if not verdict["sandboxed"]:
        out.print("[dim]no sandbox works here: your code ran in a plain child process[/dim]")
    passed = sum(r.passed for r in rows)
    out.print(f"{passed} of {len(rows)} checks passed (public inputs; worth no marks)")


def _explain(out: Console, r: Result, rungs: dict[str, str], again: bool) -> None:
    title = f"{r.tag}: {rungs['title']}" if rungs else r.tag
    _line(out, f"{title} (as above)" if again else title, "bold")
    for line in r.message.splitlines():
        _line(out, line, "dim" if line.startswith(CALLED) else "")
    if not again:
        for rung in ("idea", "where", "example"):
            for line in f"{rung}: {rungs.get(rung, '')}".splitlines() if rungs.get(rung) else ():
                _line(out, line)
    # never broken: it is there to be copied
    again = Text(f"      again: {printable(r.replay)}", "dim")
    out.print(again, soft_wrap=True)


def _line(out: Console, text: str, style: str = "") -> None:
    """An indented line: wrapped with its indent on a terminal, whole where a program reads it."""
    text = printable(text)
    if out.is_terminal:
        out.print(Padding(Text(text, style), (0, 0, 0, 6)))
    else:
        out.print(Text(f"      {text}", style), soft_wrap=True)


def _ladder(assignment: Assignment, rows: list[Result]) -> dict[str, dict[str, str]]:
    tags = {r.tag for r in rows if r.tag in assignment.hints}
    return {tag: vars(assignment.hints[tag]) for tag in sorted(tags)}


def _assignment_of(notebook: Path, course: Course) -> str:
    """The assignment a notebook says it is, or the one its file is named after."""
    if not notebook.exists():
        raise SubmissionError(f"{notebook}: no such file")
    try:
        metadata = json.loads(notebook.read_bytes()).get("metadata") or {}
        said = (metadata.get("autograder") or {}).get("assignment")
    except (ValueError, AttributeError, RecursionError):
        said = None  # submission.read says what is wrong with it
    ids = course.graded()
    if said in ids:
        return said
    named = [i for i in ids if notebook.stem.startswith(i)]
    if named or len(ids) == 1:
        return (named or ids)[0]
    raise CourseError(f"{notebook}: which assignment is it? Say --assignment {'|'.join(ids)}")
