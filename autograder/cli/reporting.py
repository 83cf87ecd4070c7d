"""Commands that show what was graded: ``feedback``, ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograder import catalog
from autograder.classroom import Classroom
from autograder.cli.app import (
    CourseOption,
    Dir,
    Name,
    app,
    escape,
    out,
    records_of,
    standings_of,
)


@app.command(epilog="Example: autograder feedback 1 --dir spring")
def feedback(name: Name, folder: Dir = Path(), course: CourseOption = None) -> None:
    """Write a feedback page for every graded submission."""
    from autograder import feedback as pages

    assignment = catalog.find_course(course).assignment(name)
    records = records_of(folder, assignment.id)
    how = {"hints": assignment.hints, "title": assignment.handout.title}
    how["standings"] = standings_of(folder, assignment.id, records)
    pages.write(folder, assignment.id, records, **how)
    out.print(
        f"[green]feedback[/green] for {len(records)} in {escape(str(folder / 'feedback'))}",
        soft_wrap=True,
    )


@app.command(epilog="Example: autograder report 1 --dir spring")
def report(
    name: Name,
    folder: Dir = Path(),
    to: Annotated[Path | None, typer.Option("--out", "-o", help="The page to write.")] = None,
    course: CourseOption = None,
) -> None:
    """Write the class report: one self-contained HTML page."""
    from autograder import report as page

    assignment = catalog.find_course(course).assignment(name)
    path = to or Classroom(folder).report_path(assignment.id)
    records = records_of(folder, assignment.id)
    how = {"hints": assignment.hints, "title": assignment.handout.title}
    how["standings"] = standings_of(folder, assignment.id, records)
    page.write(folder, assignment.id, records, path, **how)
    out.print(f"[green]report[/green] {escape(str(path))}", soft_wrap=True)
