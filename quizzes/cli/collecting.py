"""``quiz collect``: files of replies out of folders and zips, for ``quiz mark``.

Owns: its arguments and what it prints. Must not know: how files are read. Read before: ``app.py``,
``quizzes/gathering.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quizzes import gathering, screen
from quizzes.cli.app import (
    BANKS,
    BankOption,
    JsonOption,
    RosterOption,
    SecretOption,
    app,
    exit_codes,
    print_json,
)
from quizzes.schema import load_banks, load_plans


@app.command(
    epilog="Example:  quiz collect downloads/ late.zip --secret SECRET --roster names.txt "
    "-o collected/   then   quiz mark collected/ --secret SECRET --json > marks.json   and   "
    "autograder report 1 --quiz marks.json"
)
def collect(
    sources: Annotated[
        list[Path], typer.Argument(help="Files, folders and zips that were handed in.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for what is kept.")],
    quiz: Annotated[
        str | None, typer.Option("--quiz", "-q", help="Only this quiz; all of them otherwise.")
    ] = None,
    secret: SecretOption = None,
    roster: RosterOption = None,
    bank: BankOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring handed-in replies together, one file for each student; the latest one counts."""
    with exit_codes() as on:
        folder = bank or BANKS
        found = gathering.gather(
            sources,
            quiz=quiz,
            secret=secret,
            roster=gathering.read_roster(roster) if roster else (),
            banks=load_banks(folder),
            plans=load_plans(folder),
        )
        paths = gathering.save(found, out)
        if as_json:
            print_json(
                {
                    "kept": [str(p) for p in paths],
                    "older": [{"student": s, "file": f.name} for s, f in found.older],
                    "refused": [{"file": name, "error": why} for name, why in found.refused],
                    "missing": found.missing,
                }
            )
        else:
            on.print(f"{len(paths)} kept in {out}; then: quiz mark {out}")
            for student, file in found.older:
                on.print(f"{student}: a later file counts, not {file.name}")
            rows = [*found.refused, *((name, "nothing handed in") for name in found.missing)]
            if rows:
                on.print(screen.table(["file or student", "problem"], rows))
    raise typer.Exit(0 if found.ok else 1)
