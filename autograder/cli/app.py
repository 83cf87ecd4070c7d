"""The frame of the command line: the app, options many commands share, progress, errors.

Exit codes: 0 fine; 1 something failed or was graded badly; 2 wrong usage or nothing to work on.
Owns: these. Must not know: any command. Commands stand in the files beside this one, those that
belong together in one; ``main.py`` imports them all.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape as markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from autograder.classroom import Classroom
from autograder.errors import CourseError
from autograder.pages import printable

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


def needs_nbgrader(part: str) -> Any:
    """The part of this package that needs nbgrader, or in words how to get that."""
    try:
        return import_module(f"autograder.{part}")
    except ImportError as error:
        raise CourseError(
            f"{error.name or 'nbgrader'} is missing: pip install 'minengine[grading]' "
            "(grading alone works without: --no-gradebook)"
        ) from None


def records_of(folder: Path, assignment: str) -> Any:
    records = Classroom(folder).results(assignment)
    if not len(records):
        raise CourseError(f"nothing graded yet: run `autograder grade {assignment} --dir {folder}`")
    return records


def standings_of(folder: Path, assignment: str, records: Any) -> dict[str, Any]:
    """What the gradebook adds to these records: a human's points and words, lateness.

    Nothing where the grading extra, and so a gradebook, is not there.
    """
    if find_spec("sqlalchemy") is None:
        return {}
    students = (r["student"] for r in records)
    found = needs_nbgrader("bookkeeper").standing(folder, assignment, students)
    return {student: s for student, s in found.items() if not s.plain}


@contextmanager
def progress_bar(title: str, quiet: bool):
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


def print_json(document: Any) -> None:
    sys.stdout.write(json.dumps(document, indent=1, default=str) + "\n")
