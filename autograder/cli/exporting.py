"""Commands that take marks elsewhere: ``export``, ``gradescope``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autograder import catalog, exports, roster
from autograder.classroom import Classroom
from autograder.cli.app import (
    CourseOption,
    Dir,
    Json,
    Name,
    Unsafe,
    app,
    err,
    escape,
    needs_nbgrader,
    out,
    print_json,
    records_of,
)
from autograder.pages import STAMP

Formats = StrEnum("Formats", {name: name for name in exports.FORMATS})
Sources = StrEnum("Sources", {"gradebook": "gradebook", "results": "results"})


@app.command(
    epilog="Examples: autograder export 1 --dir spring --format canvas "
    "--column 'Transformer layer (8812)' -o grades.csv   |   "
    "autograder export 1 --dir spring --format lti -o scores/"
)
def export(
    name: Name,
    folder: Dir = Path(),
    form: Annotated[Formats, typer.Option("--format", "-f")] = Formats.nbgrader,
    to: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file; a folder for gradescope and lti.")
    ] = None,
    column: Annotated[
        str, typer.Option("--column", help="Canvas: the assignment's column, NAME (ID).")
    ] = "",
    source: Annotated[
        Sources,
        typer.Option("--from", help="The gradebook has a human's points and late penalties."),
    ] = Sources.gradebook,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Write everybody's final points for another system to read.

    Formats: canvas, moodle and nbgrader (CSV); gradescope and lti (a JSON file a student); json.
    """
    finals = needs_nbgrader("finals")
    assignment = catalog.find_course(course).assignment(name)
    records, people = records_of(folder, assignment.id), roster.load(folder)
    title = assignment.handout.title
    if source == Sources.gradebook:
        found = finals.of_gradebook(folder, assignment.id, title, records, people)
    else:
        most = assignment.max_points
        found = finals.of_records(assignment.id, title, most, records, people)
    chosen = exports.FORMATS[form.value]
    path = to or folder / "exports" / f"{assignment.id}.{chosen.name}{chosen.suffix}"
    about = exports.About(column=column, hints=assignment.hints)
    written = exports.save(chosen, found, about, path)
    unknown = exports.nameless(chosen, found)
    unsafe = sum(f.unsandboxed for f in found.rows)
    if as_json:
        print_json({
            "format": chosen.name, "files": [str(p) for p in written], "unsandboxed": unsafe,
            "students": len(found.rows), "not_known_there": unknown,
        })  # fmt: skip
        return
    n = f"{len(written)} files in " if chosen.each else ""
    out.print(f"[green]exported[/green] {n}{escape(str(path))}", soft_wrap=True)
    out.print(f"for {escape(chosen.says)}; points from the {source.value}", style="dim")
    if unsafe:
        err.print(f"[red]{STAMP}[/red]: {unsafe} of them were graded without a sandbox")
    if unknown:
        shown = ", ".join(unknown[:5]) + (" ..." if len(unknown) > 5 else "")
        err.print(
            f"[yellow]{len(unknown)} students have none of {', '.join(chosen.needs)}[/yellow], so "
            f"{chosen.name} may not know them: {escape(shown)}; `autograder roster CSV` tells",
            soft_wrap=True,
        )


@app.command(
    epilog="Examples: autograder gradescope 1 --dir spring -o autograder.zip   |   "
    "autograder gradescope 1 --dir spring -o autograder.zip --package dist/minengine-0.1.0.tar.gz"
)
def gradescope(
    name: Name,
    folder: Dir = Path(),
    to: Annotated[Path, typer.Option("--out", "-o", help="The zip.")] = Path("autograder.zip"),
    package: Annotated[
        Path | None, typer.Option("--package", help="This package's sdist or wheel, to install.")
    ] = None,
    unsafe: Unsafe = False,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Make the autograder.zip that runs this grader on Gradescope.

    Its containers are root's and seldom may make namespaces: there the Landlock sandbox is used.
    Where none holds nothing is graded. The course's secret and the solutions are not in the zip.
    """
    from autograder import gradescope as door

    assignment = catalog.find_course(course).assignment(name)
    secret = Classroom(folder).secret()
    names = door.write_zip(to, assignment, secret, package=package, allow_unsandboxed=unsafe)
    by_hand = assignment.handout.by_hand
    points = assignment.max_points - sum(by_hand.values())
    if as_json:
        found = {"zip": str(to), "files": names, "points": points, "by_hand": by_hand}
        print_json(found)
        return
    out.print(
        f"[green]packed[/green] {escape(str(to))}  {len(names)} files, {points:g} points",
        soft_wrap=True,
    )
    if by_hand:
        out.print(
            f"not in its score: {sum(by_hand.values()):g} points by hand for "
            f"{', '.join(by_hand)}; give them there, as questions that are marked by hand",
            soft_wrap=True,
        )
    out.print(
        "upload it under Configure Autograder; base image: the newest Ubuntu",
        style="dim",
    )


@app.command("gradescope-run", hidden=True)
def gradescope_run(root: Annotated[Path, typer.Argument(metavar="ROOT")]) -> None:
    """Inside Gradescope's container: grade the submission below ROOT, write results.json.

    Example: autograder gradescope-run /autograder
    """
    from autograder import gradescope as door

    made = door.run(root)
    out.print(escape(str(made.get("output", ""))))
    raise typer.Exit(0 if "score" in made else 1)
