"""The command about time: ``late``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfoNotFoundError

import typer
from rich import box
from rich.table import Table

from autograder import catalog, lateness
from autograder.classroom import Classroom
from autograder.cli.app import (
    CourseOption,
    Dir,
    Json,
    Name,
    app,
    escape,
    needs_nbgrader,
    out,
    print_json,
)
from autograder.errors import CourseError


@app.command(
    epilog="Examples: autograder late 1 --dir spring --due '2026-02-02 23:59 Europe/Berlin'   |   "
    "autograder late 1 --dir spring --times collected.csv   |   autograder late 1 --dir spring"
)
def late(
    name: Name,
    folder: Dir = Path(),
    due: Annotated[
        str | None, typer.Option("--due", metavar="TIME", help="Set the due date; none: no date.")
    ] = None,
    times: Annotated[
        Path | None,
        typer.Option("--times", metavar="CSV", help="When each came in: columns student, time."),
    ] = None,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Who handed in when, how late, at which price; set the due date or the times.

    The price is reckoned when grading; it follows c.LatePolicy in nbgrader_config.py.
    """
    assignment = catalog.find_course(course).assignment(name)
    if due is not None:
        moment = None if due == "none" else _moment(due)
        needs_nbgrader("nbgrader_bridge").set_due(folder, assignment.id, moment)
    if times is not None:
        lateness.write_times(folder, assignment.id, lateness.read_times(times))
    books = needs_nbgrader("bookkeeper")
    clock = books.clock_of(folder.resolve(), assignment.id)
    handed_in = Classroom(folder).submissions(assignment.id)
    found = books.standing(folder, assignment.id, handed_in)
    rows = [
        {
            "student": student,
            "time": when.isoformat(" ") if when else "",
            "known_from": clock.source(student),
            "late_s": found[student].late_s if student in found else None,
            "penalty": found[student].penalty if student in found else None,
        }
        for student, path in handed_in.items()
        for when in [clock.when(student, path)]
    ]
    if as_json:
        print_json(rows)
    else:
        _print(assignment.id, rows)


def _print(title: str, rows: list[dict]) -> None:
    table = Table("student", "came in (UTC)", "known from", "late", "costs",
                  title=title, box=box.SIMPLE_HEAD)  # fmt: skip
    for row in rows:
        late = "not graded yet" if row["late_s"] is None else lateness.lasted(row["late_s"])
        table.add_row(
            escape(row["student"]),
            row["time"] or "unknown",
            row["known_from"],
            late if row["late_s"] != 0 else "",
            f"{row['penalty']:g}" if row["penalty"] else "",
        )
    out.print(table)
    out.print("lateness and its price are those of the last grading", style="dim")


def _moment(text: str):
    try:
        return lateness.utc(text)
    except (ValueError, OverflowError, ZoneInfoNotFoundError):
        raise CourseError(
            f"--due {text!r} is no time; want '2026-02-02 23:59 Europe/Berlin', or none"
        ) from None
