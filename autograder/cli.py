"""``autograder``: the commands of instructors and students.

Exit codes: 0 fine; 1 something failed or was graded badly; 2 wrong usage or nothing to work on.
Owns: options, tables, progress. Must not know: how anything is done.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape as markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from autograder import catalog
from autograder.classroom import Classroom
from autograder.errors import AutograderError, CourseError
from autograder.pages import STAMP, WITHOUT, printable

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Release, check and grade the course's notebooks.\n\n"
    "A class from nothing: [b]autograder init DIR[/b], [b]autograder release 1 --dir DIR[/b], "
    "collect into DIR/submitted/STUDENT/, [b]autograder grade 1 --dir DIR[/b], "
    "[b]autograder feedback 1 --dir DIR[/b].\n\n"
    "Exit codes: 0 fine, 1 something failed or was graded badly, 2 wrong usage.",
)
out, err = Console(), Console(stderr=True)


def escape(text: str) -> str:
    """Text of others: no markup of ours, no codes a terminal would act on."""
    return markup(printable(text))


Dir = Annotated[Path, typer.Option("--dir", "-d", help="The instructor's course folder.")]
Name = Annotated[str, typer.Argument(metavar="ASSIGNMENT", help="01_transformer_layer, 1 or 01.")]
CourseOption = Annotated[
    Path | None, typer.Option("--course", help="The folder with course/syllabus.yaml.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Processes; default: CPUs.")]
Students = Annotated[str, typer.Option("--students", help="Only students whose folder matches.")]
Unsafe = Annotated[
    bool,
    typer.Option(
        "--no-sandbox-i-trust-this-code",
        help="Run without a sandbox where none works; everything is stamped UNSANDBOXED.",
    ),
]


@app.command(epilog="Example: autograder init spring")
def init(folder: Annotated[Path, typer.Argument(metavar="DIR")]) -> None:
    """Make an instructor's course folder: nbgrader's layout, its settings, the secret seed."""
    _needs_nbgrader("nbgrader_bridge").init(folder)
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
    data = assignment.root / "assignments" / assignment.id / "data"
    files = data if data.is_dir() else None
    path = _needs_nbgrader("nbgrader_bridge").release(folder, assignment.id, notebook, files)
    out.print(
        f"[green]released[/green] {escape(str(path))}  {assignment.max_points:g} points",
        soft_wrap=True,
    )


@app.command(
    epilog="Examples: autograder check 01_transformer_layer.ipynb   |   "
    "autograder check my.ipynb --only rope_base --seed 7"
)
def check(
    notebook: Annotated[Path, typer.Argument(help="Your notebook.")],
    only: Annotated[list[str] | None, typer.Option("--only", help="Only this check.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draw other public inputs.")] = 0,
    every: Annotated[
        bool, typer.Option("--all", help="Also the checks that are not shown.")
    ] = False,
    assignment: Annotated[str | None, typer.Option("--assignment", "-a")] = None,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Check your own notebook: what grading will check, on public inputs. Worth no marks."""
    from autograder import home

    verdict = home.check(notebook, catalog.find_course(course), assignment, only, seed, every)
    if as_json:
        _print_json(verdict)
    else:
        home.show(verdict, out)
    raise typer.Exit(0 if verdict["passed"] else 1)


@app.command(
    epilog="Examples: autograder grade 1 --dir spring   |   "
    "autograder grade 1 --dir spring --students 'a*' --force --jobs 4"
)
def grade(
    name: Name,
    folder: Dir = Path(),
    jobs: Jobs = None,
    students: Students = "*",
    force: Annotated[bool, typer.Option("--force", help="Grade again what is known.")] = False,
    gradebook: Annotated[bool, typer.Option(help="Write nbgrader's gradebook.")] = True,
    unsafe: Unsafe = False,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Grade every submission in its own sandbox, write the gradebook, print the table.

    What was graded before and has not changed is not run again. Ctrl-C keeps what is finished.
    """
    from autograder import grade as grading

    assignment = catalog.find_course(course).assignment(name)
    classroom = Classroom(folder)
    with _progress(f"grading {assignment.id}", as_json) as progress:
        summary = grading.grade(
            classroom,
            assignment,
            jobs=jobs,
            students=students,
            force=force,
            allow_unsandboxed=unsafe,
            progress=progress,
        )
    if as_json:
        _print_json({**asdict(summary), "marks": [asdict(m) for m in summary.marks]})
    else:
        _print_marks(summary)
    if gradebook:
        with err.status("writing the gradebook"):
            chosen = {m.student for m in summary.marks}
            records = (r for r in classroom.results(assignment.id) if r["student"] in chosen)
            books = _needs_nbgrader("bookkeeper")
            written = books.write(folder, assignment.id, records, assignment.handout)
            if written.due:
                _needs_nbgrader("nbgrader_bridge").penalize(folder, assignment.id)
    raise typer.Exit(1 if summary.lost else 0)


def _needs_nbgrader(part: str) -> Any:
    """The part of this package that needs nbgrader, or in words how to get that."""
    try:
        return import_module(f"autograder.{part}")
    except ImportError as error:
        raise CourseError(
            f"{error.name or 'nbgrader'} is missing: pip install 'minengine[grading]' "
            "(grading alone works without: --no-gradebook)"
        ) from None


@app.command(epilog="Example: autograder feedback 1 --dir spring")
def feedback(name: Name, folder: Dir = Path(), course: CourseOption = None) -> None:
    """Write a feedback page for every graded submission."""
    from autograder import feedback as pages

    assignment = catalog.find_course(course).assignment(name)
    records = _records(folder, assignment.id)
    pages.write(
        folder, assignment.id, records, hints=assignment.hints, title=assignment.handout.title
    )
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
    records = _records(folder, assignment.id)
    title = assignment.handout.title
    page.write(folder, assignment.id, records, path, hints=assignment.hints, title=title)
    out.print(f"[green]report[/green] {escape(str(path))}", soft_wrap=True)


def _records(folder: Path, assignment: str) -> Any:
    records = Classroom(folder).results(assignment)
    if not len(records):
        raise CourseError(f"nothing graded yet: run `autograder grade {assignment} --dir {folder}`")
    return records


@app.command(epilog="Examples: autograder verify   |   autograder verify 1 --seeds 10 --jobs 2")
def verify(
    name: Annotated[str | None, typer.Argument(metavar="[ASSIGNMENT]")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Draws for reference and alternates.")] = 100,
    exploits: Annotated[bool, typer.Option(help="Also the hostile submissions.")] = True,
    jobs: Jobs = None,
    unsafe: Unsafe = False,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Grade the graders: every known-right and known-wrong submission, and the kill matrix."""
    from autograder import grade as grading
    from autograder import verify as bank

    found = catalog.find_course(course)
    ids = [found.resolve(name)] if name else found.assignments()
    backend = grading.ready(unsafe)
    matrices = []
    for id_ in ids:
        with _progress(f"verifying {id_}", as_json) as progress:
            how = {"seeds": seeds, "jobs": jobs, "exploits": exploits, "progress": progress}
            matrices.append(bank.verify(found.assignment(id_), backend, **how))
    if as_json:
        _print_json([asdict(m) | {"sound": m.sound} for m in matrices])
    else:
        for matrix in matrices:
            _print_matrix(matrix)
    raise typer.Exit(0 if all(m.sound for m in matrices) else 1)


@app.command(epilog="Example: autograder doctor --json")
def doctor(as_json: Json = False) -> None:
    """Say what sandbox, compiler, nbgrader, kernels and GPU are here, and what to install."""
    from autograder import doctor as examination

    findings = examination.examine()
    if as_json:
        _print_json([asdict(f) for f in findings])
    else:
        table = Table("", "what", "found", "to do", box=None, pad_edge=False)
        for f in findings:
            sign = (
                "[green]ok[/green]"
                if f.ok
                else "[red]no[/red]"
                if f.needed
                else "[yellow]-[/yellow]"
            )
            table.add_row(sign, f.name, escape(f.found), escape("" if f.ok else f.advice))
        out.print(table)
    raise typer.Exit(1 if any(f.needed and not f.ok for f in findings) else 0)


@contextmanager
def _progress(title: str, quiet: bool):
    """A bar with the time left, on stderr; yields the function that moves it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[last]}"),
    )
    with Progress(*columns, console=err, disable=quiet, transient=True) as bar:
        task = bar.add_task(title, total=None, last="")
        try:
            yield lambda last, n, of: bar.update(task, completed=n, total=of, last=escape(last))
        except KeyboardInterrupt:
            err.print("stopped; what is finished is kept, the same command goes on from there")
            raise typer.Exit(1) from None


def _print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=1, default=str) + "\n")


def _print_marks(summary: Any) -> None:
    holes = list(summary.marks[0].holes)
    names = max(len(m.student) for m in summary.marks)
    if names + sum(len(h) + 3 for h in holes) + 50 > out.width:
        holes = []  # a narrow terminal: the marks and what to look at, whole
    table = Table(title=summary.assignment, box=box.SIMPLE_HEAD)
    for column in ("student", "mark", *holes):
        table.add_column(column, no_wrap=True)
    table.add_column("what to look at", overflow="fold")
    for m in summary.marks:
        color = "green" if m.full else "red" if m.points == 0 else "yellow"
        cells = [f"{m.holes.get(h, (0, 0))[0]:g}/{m.holes.get(h, (0, 0))[1]:g}" for h in holes]
        tags = ", ".join(m.tags[:4]) + (f" and {len(m.tags) - 4} more" if len(m.tags) > 4 else "")
        mark = f"[{color}]{m.points:g}/{m.max_points:g}[/{color}]"
        table.add_row(escape(m.student), mark, *cells, escape(tags))
    out.print(table)
    for m in summary.marks:
        for note in m.notes:
            out.print(f"[dim]{escape(m.student)}: {escape(note)}[/dim]", soft_wrap=True)
    said = f"{summary.graded} graded, {summary.reused} known already"
    walls = f"sandbox {summary.sandbox}"
    if summary.sandbox in WITHOUT:
        walls = f"[red]{STAMP}: no sandbox, marks can be forged[/red]"
    lost = f", [red]{len(summary.lost)} not graded[/red]" if summary.lost else ""
    out.print(f"{said}{lost}; {summary.seconds:.1f} s in {walls}")


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


def main() -> None:
    """The entry point: one line for an error of ours, no traceback."""
    try:
        app()
    except AutograderError as error:
        err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
