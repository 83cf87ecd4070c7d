"""Exports: everybody's final points in the formats that other systems read.

One row of FORMATS a format; the command's choices and the tests come from it. Owns: the texts.
Must not know: where points come from, how a verdict arises. Read before: finals.py, gradescope.py;
grading.md's sources: Canvas's gradebook CSV, Moodle's offline grading worksheet
(mod/assign/feedback/offline), nbgrader's CsvExportPlugin, 1EdTech's Assignment and Grade
Services 2.0, Gradescope's results.json.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder import gradescope, pages
from autograder.hints import Hint

if TYPE_CHECKING:  # the gradebook's door, which a command without one does not need
    from autograder.finals import Final, Finals

LTI_SUBMITTED, LTI_NOTHING = "Submitted", "Initialized"


@dataclass(frozen=True)
class About:
    """What some formats need besides: the column's title in Canvas, the time, the hint ladder."""

    column: str = ""
    now: datetime | None = None
    hints: Mapping[str, Hint] | None = None

    @property
    def stamp(self) -> str:
        """This moment as LTI wants it: ISO 8601 with fractions and a zone."""
        moment = (self.now or datetime.now(UTC)).astimezone(UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True)
class Format:
    """``write(finals, about)`` gives a text, or with ``each`` a text per student.

    ``needs`` are the fields of a person without which the other system cannot tell who it is: one
    of them is enough.
    """

    name: str
    suffix: str
    says: str
    write: Callable[[Finals, About], Any]
    needs: tuple[str, ...] = ()
    each: bool = False


def save(chosen: Format, finals: Finals, about: About, path: Path) -> list[Path]:
    """Write an export to ``path``, a file, or with ``each`` a folder of STUDENT.json; the paths."""
    made = chosen.write(finals, about)
    if not chosen.each:
        return [pages.write(path, made)]
    return [pages.write(path / f"{pages.one_name(s)}.json", text) for s, text in made.items()]


def nameless(chosen: Format, finals: Finals) -> list[str]:
    """Students who handed in and whom the other system could not tell."""
    if not chosen.needs:
        return []
    return [
        f.person.student
        for f in finals.rows
        if f.handed_in and not any(getattr(f.person, n) for n in chosen.needs)
    ]


def table(heading: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """RFC 4180: commas, CRLF, quotes where needed."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([pages.cell(h) for h in heading])
    writer.writerows([pages.cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def number(value: float) -> float | int:
    """Points without the noise of binary fractions; whole ones whole."""
    short = round(value, 6)
    return int(short) if short == int(short) else short


def canvas(finals: Finals, about: About) -> str:
    """Canvas's gradebook import: a row of points possible, then a row a student.

    A student without a submission has an empty cell, which Canvas leaves as it is.
    """
    column = about.column or finals.title
    stamped = any(f.unsandboxed for f in finals.rows)
    heading = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    notes = ["Notes"] if stamped else []  # a column that Canvas knows and does not import
    rows = []
    for f in finals.rows:
        p = f.person
        got = number(f.points) if f.handed_in else ""
        said = [pages.STAMP if f.unsandboxed else ""] if stamped else []
        rows.append([_shown(f), p.lms_id, p.sid, p.login, p.section, *said, got])
    possible = ["    Points Possible", "", "", "", "", *[""] * stamped, number(finals.max_points)]
    return table([*heading, *notes, column], [possible, *rows])


def moodle(finals: Finals, about: About) -> str:
    """Moodle's offline grading worksheet, which its gradebook's CSV import reads too."""
    heading = (
        "Identifier", "Full name", "ID number", "Email address", "Status", "Grade",
        "Maximum grade", "Grade can be changed", "Last modified (grade)", "Feedback comments",
    )  # fmt: skip
    rows = []
    for f in finals.rows:
        p = f.person
        got = [number(f.points) if f.handed_in else "", number(f.max_points), "Yes"]
        status = "Submitted for grading" if f.handed_in else "No submission"
        name = p.full_name or p.student
        known = [p.participant, name, p.sid or p.student, p.email]
        # the time is left empty: Moodle would compare it with its own last change
        rows.append([*known, status, *got, "", f.comment])
    return table(heading, rows)


def nbgrader(finals: Finals, about: About) -> str:
    """The columns of ``nbgrader export``, whose own text quotes nothing; a student without a
    submission has 0 points there."""
    heading = [
        "assignment", "duedate", "timestamp", "student_id", "last_name", "first_name", "email",
        "raw_score", "late_submission_penalty", "score", "max_score",
    ]  # fmt: skip
    stamped = any(f.unsandboxed for f in finals.rows)
    rows = []
    for f in finals.rows:
        p = f.person
        who = [p.student, p.last, p.first, p.email]
        points = [float(x) for x in (f.raw, f.penalty, f.points, f.max_points)]
        said = [pages.STAMP if f.unsandboxed else ""] if stamped else []
        rows.append(
            [finals.assignment, _time(finals.due), _time(f.submitted), *who, *points, *said]
        )
    return table([*heading, *["note"] * stamped], rows)


def lti(finals: Finals, about: About) -> dict[str, str]:
    """The body of a Score POST of LTI 1.3's Assignment and Grade Services for each student."""
    return {f.person.student: _json(_lti(f, about)) for f in finals.rows}


def _lti(f: Final, about: About) -> dict[str, Any]:
    row: dict[str, Any] = {
        "userId": f.person.lms_id or f.person.student,
        "timestamp": about.stamp,
        "activityProgress": LTI_SUBMITTED if f.handed_in else LTI_NOTHING,
        "gradingProgress": "NotReady",
    }
    if f.handed_in:
        waiting = "PendingManual" if f.asks_human else "FullyGraded"
        row |= {"scoreGiven": number(f.points), "scoreMaximum": number(f.max_points)}
        row |= {"comment": f.comment, "gradingProgress": waiting}
    return row


def of_gradescope(finals: Finals, about: About) -> dict[str, str]:
    """A results.json for each student who handed in."""
    return {
        f.person.student: _json(gradescope.results(f.record, about.hints, f.points, f.asks_human))
        for f in finals.rows
        if f.record is not None
    }


def as_json(finals: Finals, about: About) -> str:
    """Everything, for programs: points, lateness, and what each check said."""
    rows = []
    for f in finals.rows:
        row = vars(f.person) | {
            "points": number(f.points) if f.handed_in else None,
            "raw_points": number(f.raw),
            "late_penalty": number(f.penalty),
            "max_points": number(f.max_points),
            "submitted": _time(f.submitted),
            "handed_in": f.handed_in,
            "waits_for_human": f.asks_human,
            "unsandboxed": f.unsandboxed,
            "notes": list(f.record["notes"]) if f.record else [],
            "results": list(f.record["results"]) if f.record else [],
        }
        rows.append(row)
    return _json({
        "assignment": finals.assignment,
        "title": finals.title,
        "max_points": number(finals.max_points),
        "due": _time(finals.due),
        "unsandboxed": any(f.unsandboxed for f in finals.rows),
        "students": rows,
    })  # fmt: skip


def _shown(f: Final) -> str:
    return f.person.last_first or f.person.student


def _time(moment: datetime | None) -> str:
    return "" if moment is None else str(moment)


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS = {
    row.name: row
    for row in (
        Format("canvas", ".csv", "Canvas: Grades, Import", canvas, ("lms_id", "sid", "login")),
        Format(
            "moodle", ".csv", "Moodle: Upload grading worksheet, or Grades, Import, CSV file",
            moodle, ("participant", "email", "sid"),
        ),
        Format("nbgrader", ".csv", "the columns of nbgrader export", nbgrader),
        Format("gradescope", "", "a results.json for each student", of_gradescope, each=True),
        Format("lti", "", "LTI 1.3: a score for each student", lti, ("lms_id",), each=True),
        Format("json", ".json", "everything, for programs", as_json),
    )
}  # fmt: skip
