"""Commands that make a course: ``init``, ``release``."""

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
    needs_nbgrader,
    out,
)


@app.command(
    epilog="Examples: autograder init spring   |   "
    "autograder init spring --db postgresql://grader@db.example.edu/spring"
)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR")],
    db: Annotated[
        str, typer.Option("--db", metavar="URL", help="Gradebook; default: gradebook.db in DIR.")
    ] = "",
    course: CourseOption = None,
) -> None:
    """Make an instructor's course folder: nbgrader's layout, its settings, the secret seed."""
    needs_nbgrader("nbgrader_bridge").init(folder, course, db)
    made = Classroom(folder).make_secret()
    out.print(f"[green]ready[/green] {escape(str(folder))}", soft_wrap=True)
    out.print("a new secret seed was drawn" if made else "the secret seed was kept", style="dim")
    out.print(f"next: autograder release 1 --dir {escape(str(folder))}", style="dim")


@app.command(epilog="Example: autograder release 1 --dir spring")
def release(name: Name, folder: Dir = Path(), course: CourseOption = None) -> None:
    """Make the source and the students' notebook of an assignment with nbgrader."""
    from autograder import handout

    assignment = catalog.find_course(course).assignment(name)
    notebook = handout.source_notebook(assignment.handout, assignment.reference.sources)
    data = assignment.parts / "data"
    files = data if data.is_dir() else None
    path = needs_nbgrader("nbgrader_bridge").release(folder, assignment.id, notebook, files)
    by_hand = sum(assignment.handout.by_hand.values())
    points = f"{assignment.max_points:g} points"
    out.print(
        f"[green]released[/green] {escape(str(path))}  {points}"
        + (f", {by_hand:g} of them marked by hand in formgrader" if by_hand else ""),
        soft_wrap=True,
    )
