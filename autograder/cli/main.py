"""The ``autograder`` program: the app with every command."""

from __future__ import annotations

# importing a file of commands registers them, in the order of --help
from autograder.cli import (
    collecting,
    comparing,
    course,
    exporting,
    grading,
    late,
    reporting,
    student,
)
from autograder.cli.app import app, err, escape
from autograder.errors import AutograderError

__all__ = [
    "app",
    "collecting",
    "comparing",
    "course",
    "exporting",
    "grading",
    "late",
    "main",
    "reporting",
    "student",
]


def main() -> None:
    """The entry point: one line for an error of ours, no traceback."""
    try:
        app()
    except AutograderError as error:
        err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise SystemExit(2) from None
