"""Commands that run submissions: ``grade``, ``verify``, and the tables they print."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from autograder import catalog, scale, score
from autograder.classroom import Classroom
from autograder.cli.app import (
    CourseOption,
    Dir,
    Jobs,
    Json,
    Name,
    Students,
    Unsafe,
    app,
    err,
    escape,
    needs_nbgrader,
    out,
    print_json,
    progress_bar,
)
from autograder.lateness import lasted
from autograder.pages import STAMP, WITHOUT

SHOWN = 60  # marks printed


@app.command(
    epilog="Examples: autograder grade 1 --dir spring   |   "
    "autograder grade 1 --dir spring --students 'a*' --force --jobs 4   |   "
    "autograder grade 1 --dir /shared/spring --cluster tcp://10.0.0.5:8786"
)
def grade(
    name: Name,
    folder: Dir = Path(),
    jobs: Jobs = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="local|tcp://HOST:PORT",
            help="Grade on the workers of a Dask scheduler. Each needs this course folder and the "
            "course's text under the same paths, the same packages, and the sandbox; no home. "
            "[b]local[/b]: on a cluster of --jobs workers made here.",
        ),
    ] = None,
    students: Students = "*",
    force: Annotated[bool, typer.Option("--force", help="Grade again what is known.")] = False,
    gradebook: Annotated[bool, typer.Option(help="Write nbgrader's gradebook.")] = True,
    show: Annotated[
        int, typer.Option(min=0, help="Of a larger class print the N lowest marks.")
    ] = SHOWN,
    unsafe: Unsafe = False,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Grade every submission in its own sandbox, write the gradebook, print the table.

    What was graded before and has not changed is not run again: after a change of one check, that
    check alone. Ctrl-C keeps what is finished.
    """
    from autograder import grade as grading

    if cluster not in (None, scale.LOCAL) and jobs is not None:
        raise typer.BadParameter("the cluster's workers say how many; leave --jobs out")
    assignment = catalog.find_course(course).assignment(name)
    classroom = Classroom(folder)
    with progress_bar(f"grading {assignment.id}", as_json) as progress:
        summary = grading.grade(
            classroom,
            assignment,
            jobs=jobs,
            cluster=cluster,
            students=students,
            force=force,
            allow_unsandboxed=unsafe,
            progress=progress,
        )
    chosen = set(classroom.students(assignment.id, students))
    standings = _write_gradebook(folder, assignment, chosen) if gradebook else {}
    marks = grading.marks(classroom, assignment.id, students)
    if as_json:
        _print_json(summary, marks, standings)
    else:
        _print_marks(summary, marks, standings, show, assignment.handout.by_hand)
    refused = classroom.refused(assignment.id)
    for student, why in refused.items():
        err.print(f"[red]not graded[/red] {escape(student)}: {why}", soft_wrap=True)
    raise typer.Exit(1 if summary.lost or refused else 0)


def _write_gradebook(folder: Path, assignment: Any, chosen: set[str]) -> dict[str, Any]:
    """Bring the records of these into the gradebook -> what it says of those who were late."""
    with err.status("writing the gradebook"):
        records = (r for r in Classroom(folder).results(assignment.id) if r["student"] in chosen)
        books = needs_nbgrader("bookkeeper")
        written = books.write(folder, assignment.id, records, assignment.handout)
        if not written.due:
            return {}
        needs_nbgrader("nbgrader_bridge").penalize(folder, assignment.id)
        found = books.standing(folder, assignment.id, chosen)
        return {name: s for name, s in found.items() if s.late_s}


@app.command(epilog="Examples: autograder verify   |   autograder verify 1 --seeds 10 --jobs 2")
def verify(
    name: Annotated[str | None, typer.Argument(metavar="[ASSIGNMENT]")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws for reference and alternates.")] = 100,
    exploits: Annotated[bool, typer.Option(help="Also the hostile submissions.")] = True,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a page here.")] = None,
    jobs: Jobs = None,
    unsafe: Unsafe = False,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Grade the graders: every known-right and known-wrong submission, and the kill matrix."""
    from autograder import grade as grading
    from autograder import verify as bank

    found = catalog.find_course(course)
    ids = [found.resolve(name)] if name else found.graded()
    backend = grading.ready(unsafe)
    matrices = []
    for id_ in ids:
        with progress_bar(f"verifying {id_}", as_json) as progress:
            how = {"seeds": seeds, "jobs": jobs, "exploits": exploits, "progress": progress}
            matrices.append(bank.verify(found.assignment(id_), backend, **how))
    if html:
        from autograder import matrix_page

        titles = {id_: found.assignment(id_) for id_ in ids}
        matrix_page.write(html, matrices, titles, seeds=seeds, sandbox=backend)
        err.print(f"[green]matrix[/green] {escape(str(html))}", soft_wrap=True)
    if as_json:
        print_json([asdict(m) | {"sound": m.sound} for m in matrices])
    else:
        for matrix in matrices:
            _print_matrix(matrix)
    raise typer.Exit(0 if all(m.sound for m in matrices) else 1)


def _print_json(summary: Any, marks: Iterable[Any], standings: dict[str, Any]) -> None:
    """One document, written mark by mark."""
    head = json.dumps(asdict(summary), indent=1).removesuffix("\n}")
    sys.stdout.write(f'{head},\n "marks": [')
    for n, mark in enumerate(marks):
        sys.stdout.write((",\n  " if n else "\n  ") + json.dumps(asdict(mark)))
    late = {name: {"late_s": s.late_s, "penalty": s.penalty} for name, s in standings.items()}
    sys.stdout.write(f'\n ],\n "late": {json.dumps(late)}\n}}\n')


def _print_marks(
    summary: Any,
    marks: Iterable[Any],
    standings: dict[str, Any],
    show: int,
    by_hand: dict[str, float],
) -> None:
    """The marks of a small class by name, of a larger one the lowest and what there is in all."""
    everyone = score.Spread()
    counted = (everyone.counted(m) for m in marks)
    if summary.n <= show:
        shown = list(counted)
    else:
        shown = heapq.nsmallest(show, counted, key=lambda m: (m.percent, m.student))
        for _ in counted:  # the others, where none are shown
            pass
    if shown:
        lowest = f": the {len(shown)} lowest of {summary.n}" if len(shown) < summary.n else ""
        out.print(_table(f"{summary.assignment}{lowest}", shown, standings))
    for m in shown:
        for note in m.notes:
            out.print(f"[dim]{escape(m.student)}: {escape(note)}[/dim]", soft_wrap=True)
    if summary.n > show:
        tags = ", ".join(f"{tag} {n}" for tag, n in everyone.tags.most_common(8))
        out.print(
            f"{everyone.n} marks: {everyone.full} full, {everyone.zero} of no points, mean "
            f"{everyone.mean:.0f} %, median {everyone.median:.0f} %; {everyone.noted} with notes"
        )
        out.print(f"commonest: {escape(tags)}" if tags else "", soft_wrap=True)
    if by_hand:
        out.print(
            f"[dim]{sum(by_hand.values()):g} points by hand for {', '.join(by_hand)} are not in "
            "these marks: they are given in formgrader[/dim]",
            soft_wrap=True,
        )
    said = f"{summary.graded} graded, {summary.reused} known already"
    walls = f"sandbox {summary.sandbox}"
    if summary.sandbox in WITHOUT:
        walls = f"[red]{STAMP}: no sandbox, marks can be forged[/red]"
    lost = f", [red]{len(summary.lost)} not graded[/red]" if summary.lost else ""
    out.print(f"{said}{lost}; {summary.ran} checks run in {summary.seconds:.1f} s, {walls}")


def _table(title: str, shown: list[Any], standings: dict[str, Any]) -> Table:
    holes = list(shown[0].holes)
    names = max(len(m.student) for m in shown)
    if names + sum(len(h) + 3 for h in holes) + 50 > out.width:
        holes = []  # a narrow terminal: the marks and what to look at, whole
    table = Table(title=title, box=box.SIMPLE_HEAD)
    late = ["late"] if standings else []
    for column in ("student", "mark", *late, *holes):
        table.add_column(column, no_wrap=True)
    table.add_column("what to look at", overflow="fold")
    for m in shown:
        color = "green" if m.full else "red" if m.points == 0 else "yellow"
        cells = [f"{m.holes.get(h, (0, 0))[0]:g}/{m.holes.get(h, (0, 0))[1]:g}" for h in holes]
        tags = ", ".join(m.tags[:4]) + (f" and {len(m.tags) - 4} more" if len(m.tags) > 4 else "")
        mark = f"[{color}]{m.points:g}/{m.max_points:g}[/{color}]"
        when = (_late(m, standings) for _ in late)
        table.add_row(escape(m.student), mark, *when, *cells, escape(tags))
    return table


def _late(mark: Any, standings: dict[str, Any]) -> str:
    """How late a submission came, and what that costs."""
    if mark.student not in standings:
        return ""
    found = standings[mark.student]
    price = f" [red]-{found.penalty:g}[/red]" if found.penalty else ""
    return lasted(found.late_s) + price


def _print_matrix(matrix: Any) -> None:
    """One line a submission, one sign a check: it fits a narrow terminal."""
    out.print(f"[b]{matrix.assignment}[/b]: . passes, x fails as it should, ! is off")
    shown = [r for r in matrix.rows if r.kind != "exploit" or r.problems]
    n, width = len(matrix.checks), max(len(f"{r.kind} {r.name}") for r in shown)
    for digits in ["".join(str(i // 10 or " ") for i in range(1, n + 1))] if n > 9 else []:
        out.print(" " * width, digits, highlight=False)
    out.print(" " * width, "".join(str(i % 10) for i in range(1, n + 1)), "points", highlight=False)
    signs = {"!": "[red]![/red]", "x": "x", ".": "[dim].[/dim]"}
    for row in shown:
        off = {p.split(":")[0] for p in row.problems}
        cells = ["!" if c in off else "x" if row.tags.get(c) else "." for c in matrix.checks]
        name = f"{row.kind} {row.name}".ljust(width)
        text = f"{escape(name)} {''.join(signs[c] for c in cells)} {row.points:g}"
        out.print(text, highlight=False, soft_wrap=True)
    legend = [f"{i} {check}" for i, check in enumerate(matrix.checks, 1)]
    out.print("  ".join(legend), style="dim", highlight=False)
    off = [f"{r.kind} {r.name}: {p}" for r in matrix.rows for p in r.problems]
    off += list(matrix.problems)
    for problem in off:
        out.print(f"[red]off[/red] {escape(problem)}", soft_wrap=True, highlight=False)
    wrong, hostile = (sum(r.kind == k for r in matrix.rows) for k in ("wrong", "exploit"))
    verdict = "[green]sound[/green]" if matrix.sound else f"[red]{len(off)} things are off[/red]"
    out.print(
        f"{verdict}: {n} checks, {len(matrix.rows)} submissions, {wrong} wrong, {hostile} hostile"
    )
