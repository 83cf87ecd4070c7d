"""Commands that show what was graded: ``feedback``, ``report``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from autograder import catalog
from autograder.classroom import Classroom
from autograder.cli.app import (
    CourseOption,
    Dir,
    Json,
    Name,
    app,
    escape,
    out,
    print_json,
    records_of,
    standings_of,
)
from autograder.errors import CourseError


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


@app.command(
    epilog="Examples: autograder report 1 --dir spring   |   "
    "autograder report 1 --dir spring --quiz marks.json --json"
)
def report(
    name: Name,
    folder: Dir = Path(),
    to: Annotated[Path | None, typer.Option("--out", "-o", help="The page to write.")] = None,
    quizzes: Annotated[
        list[Path] | None,
        typer.Option("--quiz", help="What `quiz mark --json` printed, for its questions."),
    ] = None,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Write the class report: one self-contained HTML page.

    With statistics of each check as an item, and what `autograder similar` found last.
    """
    from autograder import collection, items, similar_page
    from autograder import report as page

    assignment = catalog.find_course(course).assignment(name)
    path = to or Classroom(folder).report_path(assignment.id)
    records = records_of(folder, assignment.id)
    found = items.of(records, collection.attempts(folder, assignment.id))
    of_quizzes = items.of_quiz([paper for q in quizzes or () for paper in _papers(q)])
    sections = (
        items.section(found, of_quizzes, assignment.hints),
        similar_page.section(folder, assignment.id),
    )
    how = {"hints": assignment.hints, "title": assignment.handout.title, "sections": sections}
    how["standings"] = standings_of(folder, assignment.id, records)
    page.write(folder, assignment.id, records, path, **how)
    if as_json:
        print_json({
            "page": str(path), "checks": [i.as_data() for i in found.items],
            "quizzes": {q: [i.as_data() for i in rows] for q, rows in of_quizzes.items()},
        })  # fmt: skip
        return
    out.print(f"[green]report[/green] {escape(str(path))}", soft_wrap=True)


def _papers(path: Path) -> list[Any]:
    """What `quiz mark --json` wrote to a file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CourseError(f"{path}: cannot be read: {error}") from None
    return found if isinstance(found, list) else [found]
