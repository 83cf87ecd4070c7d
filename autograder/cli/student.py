"""Commands for anybody's own machine: ``check``, ``package``, ``doctor``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from autograder import catalog
from autograder.cli.app import (
    CourseOption,
    Json,
    app,
    escape,
    out,
    print_json,
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
        print_json(verdict)
    else:
        home.show(verdict, out)
    raise typer.Exit(0 if verdict["passed"] else 1)


@app.command(epilog="Example: autograder package 05_mini_engine.ipynb --to mini_engine")
def package(
    notebook: Annotated[Path, typer.Argument(help="Your notebook.")],
    to: Annotated[Path, typer.Option("--to", metavar="DIR", help="The package's folder.")],
    assignment: Annotated[str | None, typer.Option("--assignment", "-a")] = None,
    course: CourseOption = None,
    as_json: Json = False,
) -> None:
    """Write a notebook's tasks as a package of files, to import and to run with your own tools."""
    from autograder import home
    from autograder import package as packages

    written = packages.write(*home.package(notebook, catalog.find_course(course), assignment, to))
    if as_json:
        print_json([str(path) for path in written])
    else:
        out.print(f"[green]written[/green] {escape(str(to))}: {len(written)} files", soft_wrap=True)


@app.command(epilog="Example: autograder doctor --json")
def doctor(as_json: Json = False) -> None:
    """Say what sandbox, compiler, nbgrader, kernels and GPU are here, and what to install."""
    from autograder import doctor as examination

    findings = examination.examine()
    if as_json:
        print_json([asdict(f) for f in findings])
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
