"""The frame of the command line: the app, options that commands share, errors as exit codes.

Owns: these. Must not know: any command. Commands stand in the files beside this one; ``main.py``
imports them all. Read before: ``quizzes/errors.py``.

Exit codes: 0 done (take: passed); 1 take: not passed, mark: a file could not be marked, verify: a
bank is wrong; 2 a wrong argument or file, said in one line; 130 left by Ctrl-C (progress is kept);
141 the reader of the output left.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from minengine.errors import EngineError
from quizzes import screen
from quizzes.errors import QuizError
from quizzes.schema import FOLDER

BANKS = FOLDER / "bank"

app = typer.Typer(
    help="Self-checks: questions drawn for each student, answers computed by the engine.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done or passed, 1 not passed (or a file or bank is wrong), "
    "2 a wrong argument or file, 130 left by Ctrl-C.",
)
QuizArgument = Annotated[str, typer.Argument(help="The id of a quiz, such as 2.1 (see quiz list).")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON for programs.")]
BankOption = Annotated[
    Path | None,
    typer.Option(
        "--bank",
        help="A folder of banks, whose code is run, and of their papers.yaml; the course's own "
        "otherwise.",
    ),
]
SecretOption = Annotated[
    Path | None, typer.Option("--secret", help="The course's secret file, for papers with marks.")
]
RosterOption = Annotated[
    Path | None, typer.Option("--roster", help="A file with the names of students, one a line.")
]
StudentOption = Annotated[
    str | None, typer.Option("--student", "-s", help="Whose paper; your user name otherwise.")
]
SeedOption = Annotated[
    str | None, typer.Option("--seed", help="Which draw; 1 first, then the next after each paper.")
]


@contextlib.contextmanager
def exit_codes(*, left: str = "") -> Iterator[Console]:
    """A console to print on; errors become one line and a code; ``left`` is said after Ctrl-C."""
    try:
        yield screen.console()
        sys.stdout.flush()
    except (QuizError, EngineError) as error:
        print(f"quiz: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    except (KeyboardInterrupt, EOFError):
        print(f"\n{left}", file=sys.stderr)
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # the interpreter flushes stdout once more at its end; that must not fail too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(141) from None
    except OSError as error:
        print(f"quiz: {error.filename}: {error.strerror}", file=sys.stderr)
        raise typer.Exit(2) from None


def print_json(data: object) -> None:
    """One JSON value on stdout."""
    print(json.dumps(data, ensure_ascii=False, indent=2))
