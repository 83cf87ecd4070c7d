"""``autograder check``: a student's own notebook, at home, offline.

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

from autograder import grade, sandbox, submission
from autograder.catalog import Assignment, Course
from autograder.checks import Result, Seeds
from autograder.errors import CourseError, SubmissionError


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


def show(verdict: dict[str, Any], out: Console) -> None:
    """The verdict for a person: each hole, each check, and for a failure its whole ladder."""
    rows = [Result.from_dict(r) for r in verdict["results"]]
    for hole in dict.fromkeys(r.hole for r in rows):
        mine = [r for r in rows if r.hole == hole]
        got, most = sum(r.points for r in mine), sum(r.max_points for r in mine)
        out.print(f"[b]{hole}[/b]  {got:g} of {most:g} points")
        for r in mine:
            sign = "[green]passed[/green]" if r.passed else f"[red]{escape(r.status)}[/red]"
            out.print(f"  {sign}  {escape(r.title)}", soft_wrap=True)
            for line in [] if r.passed else _lines(r, verdict["ladder"].get(r.tag, {})):
                out.print(f"      {escape(line)}", soft_wrap=True, highlight=False)
            if r.note:
                out.print(f"      [dim]{escape(r.note)}[/dim]", soft_wrap=True)
    for note in verdict["notes"]:
        out.print(f"[yellow]note[/yellow] {escape(note)}", soft_wrap=True)
    if not verdict["sandboxed"]:
        out.print("[dim]no sandbox works here: your code ran in a plain child process[/dim]")
    passed = sum(r.passed for r in rows)
    out.print(f"{passed} of {len(rows)} checks passed (public inputs; worth no marks)")


def _lines(r: Result, rungs: dict[str, str]) -> list[str]:
    title = f"{r.tag}: {rungs['title']}" if rungs else r.tag
    more = [f"{k}: {rungs[k]}" for k in ("idea", "where", "example") if rungs.get(k)]
    return [title, *r.message.splitlines(), *"\n".join(more).splitlines(), f"again: {r.replay}"]


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
    ids = course.assignments()
    if said in ids:
        return said
    named = [i for i in ids if notebook.stem.startswith(i)]
    if named or len(ids) == 1:
        return (named or ids)[0]
    raise CourseError(f"{notebook}: which assignment is it? Say --assignment {'|'.join(ids)}")
