"""``quiz export``: papers and banks as other quiz systems read them.

Owns: its arguments and what it prints. Must not know: the formats. Read before: ``app.py``,
``quizzes/exports.py``.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from quizzes import collected, exports
from quizzes.cli.app import BANKS, BankOption, SecretOption, app, exit_codes
from quizzes.errors import ExportError
from quizzes.schema import load_banks, load_plans

Formats = StrEnum("Formats", {name: name for name in exports.FORMATS})


@app.command(
    epilog="Examples:  quiz export 2.1 --format gift --student ada -o ada.gift   |   "
    "quiz export bank/2.1.yaml -f qti -o bank.zip"
)
def export(
    quiz: Annotated[
        str,
        typer.Argument(
            help="A quiz, whose paper is drawn, or a bank's file, all of it (its code is run)."
        ),
    ],
    format_name: Annotated[
        Formats,
        typer.Option(
            "--format",
            "-f",
            help="; ".join(f"{f.name}: {f.says}" for f in exports.FORMATS.values()) + ".",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The file; a folder where there are several students."),
    ] = None,
    student: Annotated[
        list[str] | None,
        typer.Option("--student", "-s", help="Whose paper; may be given again. Default: nobody's."),
    ] = None,
    seed: Annotated[str | None, typer.Option("--seed", help="Which draw; 1 otherwise.")] = None,
    secret: SecretOption = None,
    bank: BankOption = None,
) -> None:
    """Write a paper or a bank, with its answers, as another quiz system reads it."""
    with exit_codes() as on:
        if seed and secret:
            raise ExportError("--seed and --secret both say which draw; give one")
        draw_key = collected.read_secret(secret) if secret else seed or "1"
        chosen = exports.FORMATS[format_name.value]
        folder = bank or BANKS
        made = exports.papers(
            quiz, student or [""], draw_key, lambda: load_banks(folder), load_plans(folder)
        )
        if out is not None:
            paths = exports.save(chosen, made, out)
            on.print(f"{len(paths)} written: {', '.join(map(str, paths))}")
        elif len(made) > 1:
            raise ExportError(f"{len(made)} papers and no --out FOLDER to write them to")
        elif chosen.suffix == ".zip" and sys.stdout.isatty():
            raise ExportError("a zip is nothing to look at: --out FILE writes it")
        else:
            sys.stdout.buffer.write(exports.as_bytes(chosen, made[0]))
        for line in exports.changed(chosen, made):
            print(line, file=sys.stderr)
