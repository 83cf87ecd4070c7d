"""Feedback: one page per student that says which idea is wrong and where to look.

A page is self-contained, runs nothing and loads nothing; what a student's code wrote is escaped.
A hidden check shows its title, the sentence of its tag and the command that shows the same class
of failure; values never. Owns: ``feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html``. Must not know:
nbgrader, sandboxes. Read before: pages.py, score.py, hints.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autograder import pages, score
from autograder.hints import SHARED, Hint
from autograder.results import Record

RUNGS = (("where", "Where to look"), ("example", "A small example"))


def write(
    course_dir: Path | str,
    assignment: str,
    records: Iterable[Record],
    *,
    hints: Mapping[str, Hint] | None = None,
    title: str = "",
) -> int:
    """Write the page of every record; returns how many.

    ``hints`` is the assignment's ladder; without it a page has the sentence that records carry.
    """
    n = 0
    for record in records:
        student = pages.one_name(record["student"])
        folder = Path(course_dir, "feedback", student, pages.one_name(assignment))
        pages.write(folder / f"{assignment}.html", page(record, hints=hints, title=title))
        n += 1
    return n


def page(record: Record, *, hints: Mapping[str, Hint] | None = None, title: str = "") -> str:
    """The page of one record as HTML."""
    mark = score.mark(record)
    ladder = SHARED if hints is None else hints
    holes = [
        {
            "name": hole,
            "points": got,
            "max_points": most,
            "checks": [_check(r, ladder) for r in record["results"] if r["hole"] == hole],
        }
        for hole, (got, most) in mark.holes.items()
    ]
    return pages.page(
        "feedback.html",
        "feedback.css",
        record=record,
        mark=mark,
        holes=holes,
        passed=sum(r["status"] == "passed" for r in record["results"]),
        title=title or _title(record["assignment"]),
        unsandboxed=pages.unsandboxed(record),
    )


def _check(row: Mapping[str, Any], hints: Mapping[str, Hint]) -> dict[str, Any]:
    """A result and what its tag has to say; of a hidden check only the sentence."""
    hint = hints.get(row["tag"])
    seen = hint is not None and row["visibility"] == "visible"
    rungs = [(label, getattr(hint, rung)) for rung, label in RUNGS] if seen else []
    return {
        "row": row,
        "name": hint.title if hint else "",
        "idea": hint.idea if hint else row["hint"],
        "ladder": [(label, text) for label, text in rungs if text],
    }


def _title(assignment: str) -> str:
    """01_transformer_layer -> 01 transformer layer."""
    return assignment.replace("_", " ")
