"""The command that lists what submissions have in common: ``similar``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from autograder import catalog
from autograder.classroom import Classroom
from autograder.cli.app import (
    CourseOption,
    Dir,
    Json,
    Name,
    Students,
    app,
    err,
    escape,
    out,
    print_json,
)
from autograder.errors import CourseError

MOST_LINES = 15


@app.command(
    epilog="Examples: autograder similar 1 --dir spring   |   "
    "autograder similar 1 --dir spring --least 0.8 --json"
)
def similar(
    name: Name,
    folder: Dir = Path(),
    students: Students = "*",
    least: Annotated[
        float, typer.Option(min=0.05, max=1.0, help="Share in common from which a pair is listed.")
    ] = 0.6,
    to: Annotated[Path | None, typer.Option("--out", "-o", help="The page to write.")] = None,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """List which submissions have text in common, with each other and with known solutions.

    It accuses nobody: short tasks have few good answers. The page has the sources side by side.
    """
    from autograder import similar_page, similarity

    assignment = catalog.find_course(course).assignment(name)
    paths = Classroom(folder).submissions(assignment.id, students)
    if not paths:
        raise CourseError(f"no submission in {folder / 'submitted' / students / assignment.id}")
    with err.status(f"reading {len(paths)} submissions"):
        texts, unreadable = similarity.texts(assignment, paths)
    with err.status("comparing"):
        found = similarity.compare(assignment.id, texts, unreadable, least)
    path = to or similar_page.page_path(folder, assignment.id)
    similar_page.write(folder, found, texts, assignment.handout.title, path)
    if as_json:
        print_json(asdict(found))
        return
    for group in found.groups[:MOST_LINES]:
        out.print(f"group of {len(group)}: {escape(', '.join(group))}", soft_wrap=True)
    table = Table("", "", "in common", "how unusual", box=box.SIMPLE_HEAD)
    for pair in found.pairs[:MOST_LINES]:
        table.add_row(escape(pair.a), escape(pair.b), f"{pair.share:.0%}", f"{pair.weight:.0f}")
    if found.pairs:
        out.print(table)
    out.print(
        f"{found.n} compared: {found.n_pairs} pairs, {len(found.groups)} groups, "
        f"{len(found.known)} near a known text"
    )
    out.print("a list to read, not a finding: short tasks have few good answers", style="dim")
    out.print(f"[green]page[/green] {escape(str(path))}", soft_wrap=True)
