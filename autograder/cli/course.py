"""Commands that make a course: ``init``, ``release``, ``bundle``, ``solutions``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from autograder import catalog
from autograder.classroom import Classroom
from autograder.cli.app import (
    CourseOption,
    Dir,
    Json,
    Name,
    app,
    err,
    escape,
    needs_nbgrader,
    out,
    print_json,
)
from autograder.errors import CourseError


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
    from autograder import handout, leaks

    assignment = catalog.find_course(course).assignment(name)
    notebook = handout.source_notebook(assignment.handout, assignment.reference.sources)
    data = assignment.parts / "data"
    files = data if data.is_dir() else None
    path = needs_nbgrader("nbgrader_bridge").release(folder, assignment.id, notebook, files)
    try:
        leaks.refuse(leaks.below(path.parent), assignment.reference.sources)
    except CourseError:
        shutil.rmtree(path.parent)
        raise
    by_hand = sum(assignment.handout.by_hand.values())
    points = f"{assignment.max_points:g} points"
    out.print(
        f"[green]released[/green] {escape(str(path))}  {points}"
        + (f", {by_hand:g} of them marked by hand in formgrader" if by_hand else ""),
        soft_wrap=True,
    )


@app.command(
    epilog="Examples: autograder bundle 1   |   "
    "autograder bundle 1 -o week1.zip --wheel dist/student/minengine-0.1.0-*.whl"
)
def bundle(
    name: Name,
    to: Annotated[
        Path | None, typer.Option("--out", "-o", help="The zip; default: ASSIGNMENT.zip here.")
    ] = None,
    wheel: Annotated[
        list[Path] | None,
        typer.Option("--wheel", help="A students' wheel to pack with it; may be given again."),
    ] = None,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Make the zip that students get: notebook, public checks, what to install, how to check.

    It asks AI assistants to teach and not to solve (AGENTS.md).
    No solution and nothing secret is in it, and the same input gives the same bytes.
    """
    from autograder import bundle as packer

    found = catalog.find_course(course)
    assignment = found.assignment(name)
    path = to or Path(f"{assignment.id}.zip")
    names = packer.write_zip(path, found, assignment, wheel or ())
    if as_json:
        print_json({"zip": str(path), "files": names, "points": assignment.max_points})
        return
    out.print(
        f"[green]packed[/green] {escape(str(path))}  {len(names)} files, "
        f"{assignment.max_points:g} points",
        soft_wrap=True,
    )
    if not wheel:
        out.print(
            "students need the wheel too: `make student-wheel`, then --wheel or your own place",
            style="dim",
            soft_wrap=True,
        )


@app.command(
    epilog="Examples: autograder solutions 1   |   "
    "autograder solutions 2 -o ~/teaching/cache.ipynb --no-execute"
)
def solutions(
    name: Name,
    to: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The notebook; default: ASSIGNMENT.solutions.ipynb here."),
    ] = None,
    execute: Annotated[
        bool, typer.Option("--execute/--no-execute", help="Run it, so that outputs are in it.")
    ] = True,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Write the instructor's worked notebook: the reference in every hole, run, with its outputs.

    Refused where students read: release/, submitted/, feedback/, an exchange, assignments/.
    Exit code 1 where a cell of it fails.
    """
    from autograder import worked

    assignment = catalog.find_course(course).assignment(name)
    made = worked.write(assignment, to or worked.default(assignment), execute)
    if as_json:
        print_json({
            "assignment": assignment.id, "notebook": str(made.path), "executed": made.executed,
            "failed": list(made.failed), "seconds": made.seconds,
        })  # fmt: skip
    else:
        ran = f"run in {made.seconds:.1f} s" if made.executed else "not run"
        out.print(f"[green]written[/green] {escape(str(made.path))}  {ran}", soft_wrap=True)
    if made.failed:
        err.print(f"[red]failed[/red] {escape(', '.join(made.failed))}", soft_wrap=True)
        raise typer.Exit(1)
