"""Feedback: one page per student that says which idea is wrong and where to look.

A page is self-contained, runs nothing and loads nothing; what a student's code wrote is escaped.
A hidden check shows its title, the sentence of its tag and the command that shows the same class
of failure; values never. A human's points and words, extra credit and the price of coming late
stand beside our own. Owns: ``feedback/STUDENT/ASSIGNMENT/ASSIGNMENT.html``. Must not know:
nbgrader, sandboxes. Read before: pages.py, score.py, hints.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder import lateness, pages, score
from autograder.hints import SHARED, Hint
from autograder.results import Record

if TYPE_CHECKING:
    from autograder.standings import Standing

# nbgrader's exchange finds by these which page is whose; they come from the submission
RECEIPTS = ("timestamp.txt", "submission_secret.txt")
RUNGS = (("where", "Where to look"), ("example", "A small example"))


def write(
    course_dir: Path | str,
    assignment: str,
    records: Iterable[Record],
    *,
    hints: Mapping[str, Hint] | None = None,
    title: str = "",
    standings: Mapping[str, Standing] | None = None,
) -> int:
    """Write the page of every record; returns how many.

    ``hints`` is the assignment's ladder; without it a page has the sentence that records carry.
    ``standings`` is what the gradebook says, by student.
    """
    n = 0
    for record in records:
        student = pages.one_name(record["student"])
        folder = Path(course_dir, "feedback", student, pages.one_name(assignment))
        standing = (standings or {}).get(student)
        html = page(record, hints=hints, title=title, standing=standing)
        pages.write(folder / f"{assignment}.html", html)
        receipts(Path(course_dir, "submitted", student, assignment), folder)
        n += 1
    return n


def receipts(submitted: Path, folder: Path) -> None:
    """Put beside a page what ``nbgrader release_feedback`` asks for, and no other file."""
    for name in RECEIPTS:
        text = pages.small(submitted / name)
        if text is None:
            (folder / name).unlink(missing_ok=True)
        else:
            pages.write(folder / name, text)


def page(
    record: Record,
    *,
    hints: Mapping[str, Hint] | None = None,
    title: str = "",
    standing: Standing | None = None,
) -> str:
    """The page of one record as HTML, with what ``standing`` adds to it."""
    mark = score.mark(record)
    ladder = SHARED if hints is None else hints
    holes = [
        {
            "name": hole,
            "points": got,
            "max_points": most,
            "checks": [_check(r, ladder) for r in record["results"] if r["hole"] == hole],
            **_by_hand(hole, got, standing),
        }
        for hole, (got, most) in mark.holes.items()
    ]
    holes += [_answer(name, most, standing) for name, most in record.get("by_hand", {}).items()]
    points = sum(h["points"] for h in holes) - (standing.penalty if standing else 0.0)
    return pages.page(
        "feedback.html",
        "feedback.css",
        record=record,
        mark=mark,
        points=max(0.0, points),
        late=lateness.lasted(standing.late_s) if standing and standing.late_s else "",
        penalty=standing.penalty if standing else 0.0,
        holes=holes,
        passed=sum(r["status"] == "passed" for r in record["results"]),
        title=title or _title(record["assignment"]),
        unsandboxed=pages.unsandboxed(record),
    )


def _answer(name: str, most: float, standing: Standing | None) -> dict[str, Any]:
    """An answer that a human reads: its points as far as they are given."""
    row = {"name": name, "max_points": most, "checks": [], **_by_hand(name, 0.0, standing)}
    if row["by_hand"] is None:
        row["by_hand"] = "A human gives these points; none are given yet"
    else:
        row["by_hand"] = f"{row['points']:g} of {most:g} points by hand"
    return row


def _by_hand(hole: str, got: float, standing: Standing | None) -> dict[str, Any]:
    """A hole's points as they count, and what a human changed and wrote."""
    if standing is None:
        return {"points": got, "by_hand": None, "extra": 0.0, "comment": ""}
    by_hand, extra = standing.by_hand.get(hole), standing.extra.get(hole, 0.0)
    return {
        "points": (got if by_hand is None else by_hand) + extra,
        "by_hand": None if by_hand is None else f"{got:g} by the checks, {by_hand:g} by hand",
        "extra": extra,
        "comment": standing.comments.get(hole, ""),
    }


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
