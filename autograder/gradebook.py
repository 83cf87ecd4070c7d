"""What of a record stands in a gradebook: points per check cell, a comment per hole, a notebook.

The notebook is rebuilt from our own cells: the student's sources in the holes, under each check
cell what its checks said; nothing else of what was handed in. Owns: these three. Must not know:
nbgrader, files, sandboxes. Read before: handout.py, score.py, pages.py.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autograder import handout as handout_module
from autograder import pages, score
from autograder.handout import Handout
from autograder.results import Record

if TYPE_CHECKING:
    from autograder.notebooks import NotebookNode

WIDTH = 88  # columns of a comment
NO_RESPONSE = "No response."  # nbgrader's own word for a hole left as it was
# In a comment these stand for < and >: nbgrader's feedback renders comments as Markdown that lets
# HTML through. An indented block does not, unless somebody edits the comment.
LOOK_ALIKES = str.maketrans("<>", "‹›")


def points(record: Record) -> dict[str, tuple[float, float]]:
    """(points, most points) per grade id of the check cells."""
    return {f"check_{hole}": both for hole, both in score.mark(record).holes.items()}


def by_hand(handout: Handout, sources: Mapping[str, str]) -> dict[str, tuple[float | None, float]]:
    """(points, most points) per answer: 0 for one left as it was, None where a human is to look."""
    return {
        name: (None if sources.get(name, stub).split() != stub.split() else 0.0, most)
        for (name, stub), most in zip(
            handout.answers.items(), handout.by_hand.values(), strict=True
        )
    }


def comment(record: Record, hole: str, source: str | None, stub: str) -> str | None:
    """What stands beside a hole, None where all is well and nothing is to be said.

    All of it but the headline is an indented block, which Markdown shows as it is.
    """
    stamp = (
        f"{pages.STAMP}: this was graded without a sandbox." if pages.unsandboxed(record) else ""
    )
    rows = [r for r in record["results"] if r["hole"] == hole]
    if source is not None and source.split() == stub.split():
        return "\n\n".join(filter(None, (stamp, NO_RESPONSE)))
    failed = [r for r in rows if r["status"] != "passed"]
    notes = [n for n in record["notes"] if n.startswith(f"{hole}: ")]
    lines = [line for note in notes for line in _wrapped(note)]
    for row in failed:
        lines += _said(row)
    head = ""
    if failed:
        got, most = score.mark(record).holes[hole]
        head = (
            f"{got:g} of {most:g} points, {len(rows) - len(failed)} of {len(rows)} checks passed."
        )
    parts = [stamp, head, textwrap.indent("\n".join(lines).translate(LOOK_ALIKES), " " * 4)]
    return "\n\n".join(filter(None, parts)) or None


def notebook(handout: Handout, sources: Mapping[str, str], record: Record | None) -> NotebookNode:
    """The student's sources in our notebook, and under each check cell what its checks said."""
    known = {h: s for h, s in sources.items() if h in handout.holes or h in handout.answers}
    made = handout_module.fill(handout, known)
    return show(made, record) if record else made


def show(made: NotebookNode, record: Record) -> NotebookNode:
    """Put what the checks said under the check cells of a notebook of ours."""
    from autograder.notebooks import from_dict  # late: a student's machine may lack nbformat

    for cell in made.cells:
        if cell.cell_type == "code":
            grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            rows = [r for r in record["results"] if grade_id == f"check_{r['hole']}"]
            cell.execution_count = None
            cell.outputs = [from_dict(_output(record, rows))] if rows else []
    return made


def _said(row: Mapping[str, Any]) -> list[str]:
    """The lines of one failed check."""
    tag = f", {row['tag']}" if row["tag"] not in ("", row["status"]) else ""
    lines = [f"[{row['status']}{tag}] {row['title']} ({row['points']:g}/{row['max_points']:g})"]
    for text in (row["hint"], pages.clip(row["message"], 1200)):
        lines += [f"  {line}" for line in _wrapped(text)]
    if row.get("replay"):
        lines.append(f"  again: {row['replay']}")
    return [pages.printable(line).rstrip() for line in lines]


def _wrapped(text: str) -> list[str]:
    return [
        piece
        for line in pages.printable(text).splitlines()
        for piece in textwrap.wrap(line, WIDTH, replace_whitespace=False) or [""]
    ]


def _output(record: Record, rows: list[Mapping[str, Any]]) -> dict[str, Any]:
    passed = sum(r["status"] == "passed" for r in rows)
    got, most = sum(r["points"] for r in rows), sum(r["max_points"] for r in rows)
    head = f"{passed} of {len(rows)} checks passed, {got:g} of {most:g} points"
    if pages.unsandboxed(record):
        head = f"{pages.STAMP}: {head}"
    text = [head]
    for row in rows:
        text += [f"[passed] {row['title']}"] if row["status"] == "passed" else _said(row)
    html = pages.render("cell.html", head=head, rows=rows, all_passed=passed == len(rows))
    return {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/html": html, "text/plain": pages.printable("\n".join(text))},
    }
