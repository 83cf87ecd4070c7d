"""Commands that bring a class and its work in: ``collect``, ``roster``."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from autograder import catalog, collection, layouts
from autograder import roster as rosters
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

MOST_LINES = 40  # of what was skipped; --json has all
LAYOUTS = ", ".join(row.name for row in layouts.LAYOUTS)
IdColumn = Annotated[
    str, typer.Option("--id", metavar="COLUMN", help="The roster's column with students' ids.")
]


@app.command(
    epilog="Examples: autograder collect 1 submissions.zip --dir spring --roster roster.csv   |   "
    "autograder collect 1 /srv/exchange/course/inbound --dir spring --dry-run   |   "
    "autograder collect 1 from_usb/ --dir spring --when '2026-02-02 23:59+01:00'"
)
def collect(
    name: Name,
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A folder, or a system's zip.")],
    folder: Dir = Path(),
    roster: Annotated[
        Path | None, typer.Option("--roster", help="CSV that says who is who; kept in DIR.")
    ] = None,
    id_column: IdColumn = "",
    layout: Annotated[
        str, typer.Option("--from", metavar="SYSTEM", help=f"Not as it looks, but {LAYOUTS}.")
    ] = "",
    when: Annotated[
        str,
        typer.Option(
            "--when",
            metavar="WHEN",
            help="When the work came: auto (the system's clock where it wrote one, else now), "
            "source (what the source says, students may have written it), now, or a time.",
        ),
    ] = "auto",
    any_owner: Annotated[
        bool, typer.Option("--any-owner", help="Take exchange folders owned by another user.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace what is in submitted/, and its times.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say it, change nothing.")] = False,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Collect a class's notebooks into DIR/submitted/: each student's newest attempt.

    Whatever is not taken is said, and the exit code is then 1. Collecting again changes nothing.
    """
    assignment = catalog.find_course(course).assignment(name).id
    people = rosters.load(folder)
    if roster is not None:
        given = rosters.read(roster, id_column)
        people = rosters.Roster({**people.people, **given.people}.values(), given.problems)
        if not dry_run:
            _enrol(folder, given)
    wishes = collection.Wishes(
        when=_moment(when), layout=layout, any_owner=any_owner, force=force, dry_run=dry_run
    )
    made = collection.collect(folder, assignment, source, people, wishes)
    made.problems[:0] = people.problems
    if as_json:
        print_json(asdict(made))
    else:
        _print(made)
    raise typer.Exit(1 if made.problems else 0)


@app.command(
    epilog="Examples: autograder roster roster.csv --dir spring   |   "
    "autograder roster grades.csv --dir spring --id 'SIS Login ID'   |   autograder roster --dir s"
)
def roster(
    path: Annotated[
        Path | None, typer.Argument(metavar="[CSV]", help="None: show the one that is kept.")
    ] = None,
    folder: Dir = Path(),
    id_column: IdColumn = "",
    as_json: Json = False,
) -> None:
    """Who is in the class: kept for collect and export, names written into the gradebook.

    Columns are found by their names: exports of Canvas, Moodle, Gradescope and nbgrader fit.
    """
    if path is None:
        found = rosters.load(folder)
        if not len(found):
            raise CourseError(f"{folder} has no roster: autograder roster CSV --dir {folder}")
    else:
        found = rosters.read(path, id_column)
        _enrol(folder, found)
    if as_json:
        print_json({"people": [asdict(p) for p in found], "problems": list(found.problems)})
    else:
        table = Table("student", "name", "email", "login", "number", "system's id", "section",
                      box=box.SIMPLE_HEAD)  # fmt: skip
        for p in found:
            cells = (p.student, p.last_first, p.email, p.login, p.sid, p.lms_id, p.section)
            table.add_row(*map(escape, cells))
        out.print(table)
        for problem in found.problems:
            out.print(f"[yellow]left out[/yellow] {escape(problem)}", soft_wrap=True)
        out.print(f"{len(found)} students")
    raise typer.Exit(1 if found.problems else 0)


def _enrol(folder: Path, found: rosters.Roster) -> None:
    """Keep the roster, and write its names where formgrader looks for them."""
    rosters.keep(folder, found)
    if (folder / "nbgrader_config.py").exists():
        changed = needs_nbgrader("finals").enrol(folder, found)
        err.print(f"{changed} students written into the gradebook", style="dim")


def _moment(when: str) -> str | datetime:
    if when in collection.WHEN:
        return when
    moment = layouts.time_of(when)
    if moment is None:
        raise CourseError(
            f"--when {when!r}: want {', '.join(collection.WHEN)}, or a time "
            "as 2026-02-02 23:59+01:00 (UTC without a zone)"
        )
    return moment


def _print(made: collection.Collection) -> None:
    table = Table("student", "what", "came (UTC)", "attempts", "file", "known by",
                  title=f"{made.assignment}, as {made.layout}", box=box.SIMPLE_HEAD)  # fmt: skip
    colors = {"new": "green", "newer": "green", "unchanged": "dim", "older": "yellow"}
    for t in made.taken:
        late = " [yellow]LATE[/yellow]" if t.late else ""
        state = f"[{colors[t.state]}]{t.state}[/{colors[t.state]}]{late}"
        cells = (escape(t.student), state, t.when[:16], str(t.attempts))
        table.add_row(*cells, escape(t.origin), escape(t.by))
    if made.taken:
        out.print(table)
    for t in made.taken:
        for line in _remarks(t):
            out.print(f"[dim]{escape(t.student)}: {escape(line)}[/dim]", soft_wrap=True)
    _lines("[dim]skipped[/dim]", made.skipped)
    _lines("[red]not taken[/red]", made.problems)
    counts = ", ".join(f"{made.count(s)} {s}" for s in collection.STATES if made.count(s))
    tense = "would be collected" if made.dry_run else "collected"
    out.print(f"{tense}: {counts or 'nothing'}; {len(made.problems)} not taken")


def _remarks(taken: collection.Taken) -> list[str]:
    lines = []
    if taken.others:
        lines.append(f"the newest counts; also there: {', '.join(taken.others)}")
    if taken.state == "older":
        lines.append("a newer one was collected before; that one stands (--force takes this one)")
    return lines


def _lines(what: str, lines: list[Any]) -> None:
    for line in lines[:MOST_LINES]:
        out.print(f"{what} {escape(line)}", soft_wrap=True, highlight=False)
    if len(lines) > MOST_LINES:
        out.print(f"{what} {len(lines) - MOST_LINES} more; --json lists all", highlight=False)
