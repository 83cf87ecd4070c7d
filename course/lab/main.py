"""The ``lab`` program: ``list``, ``start``, ``report``.

Exit codes: 0 fine; 1 the report is written and something in it is not done; 2 wrong usage.
Owns: these commands. Must not know: any lab. Read before: ``report.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autograder import catalog, handout, pages, submission
from autograder.errors import AutograderError, CourseError
from course.lab import report as reports
from course.lab.running import MEASURED

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Labs: a notebook to work in, and the report that is handed in with it.\n\n"
    "[b]lab start 2.2[/b], work in the notebook, [b]autograder check 2.2_kv_cache.ipynb[/b], "
    "[b]lab report 2.2_kv_cache.ipynb[/b].",
)
out, err = Console(), Console(stderr=True)
CourseOption = Annotated[
    Path | None, typer.Option("--course", help="The folder with course/syllabus.yaml.")
]


@app.command("list")
def list_(course: CourseOption = None) -> None:
    """The labs, what is checked in each and what a human marks."""
    found = catalog.find_course(course)
    table = Table("lab", "title", "hours", "tasks", "checked", "by hand", box=None)
    for id_ in found.labs():
        lab = found.assignment(id_)
        row = found.syllabus.get("labs", {}).get(id_.split("_")[0], {})
        by_hand = sum(lab.handout.by_hand.values())
        counts = (len(lab.handout.holes), f"{lab.max_points - by_hand:g}", f"{by_hand:g}")
        cells = (id_, row.get("title", lab.handout.title), row.get("hours", ""), *counts)
        table.add_row(*(escape(str(c)) for c in cells))
    out.print(table)


@app.command(epilog="Example: lab start 2.2")
def start(
    name: Annotated[str, typer.Argument(metavar="LAB", help="2.2_kv_cache, 2.2 or kv_cache.")],
    folder: Annotated[Path, typer.Option("--to", help="Where to write the notebook.")] = Path(),
    course: CourseOption = None,
) -> None:
    """Write a lab's notebook, to be opened in Jupyter."""
    lab = _lab(name, course)
    path = folder / f"{lab.id}.ipynb"
    if path.exists():
        raise CourseError(f"{path} is there already; move it away to begin anew")
    notebook = handout.student_notebook(lab.handout)
    pages.write(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    out.print(f"[green]ready[/green] {escape(str(path))}", soft_wrap=True)
    out.print(f"next: jupyter lab {escape(str(path))}", style="dim", soft_wrap=True)


@app.command(
    epilog="Examples: lab report 2.2_kv_cache.ipynb   |   "
    "lab report 2.2 --solution --out build/labs/2.2.html"
)
def report(
    notebook: Annotated[
        str, typer.Argument(metavar="NOTEBOOK|SCRIPT|LAB", help="Yours, or a lab's.")
    ],
    to: Annotated[Path | None, typer.Option("--out", "-o", help="The page to write.")] = None,
    name: Annotated[str, typer.Option("--name", help="Whose it is, for its last line.")] = "",
    solution: Annotated[
        bool, typer.Option("--solution", help="A LAB with the instructor's solution in it.")
    ] = False,
    course: CourseOption = None,
) -> None:
    """Run a lab from top to bottom and write its report: one HTML page that needs nothing else.

    Of your notebook, or of a script of the same text, the tasks and the answers are used; what was
    measured is written into the notebook's cell [b]findings[/b], and with that it is ready to be
    handed in. This runs your code.
    """
    path = Path(notebook)
    if path.suffix == ".ipynb":
        lab = _lab(_lab_of(path), course)
        found = submission.read(path.resolve(), lab.handout)
        sources = {**found.holes, **found.answers}
    elif path.suffix == ".py" and path.is_file():
        lab = _lab(path.stem, course)
        cells = handout.parse(path).cells
        sources = {c.name: c.source for c in cells if c.kind in ("hole", "answer")}
    else:
        lab = _lab(notebook, course)
        sources = {**lab.reference.sources, **lab.answers} if solution else {}
    with err.status(f"running {lab.id}"):
        page = reports.make(lab.handout, sources, name=name)
    to = to or path.with_suffix(".html") if path.suffix == ".ipynb" else to
    to = to or Path("build", "labs", f"{lab.id}.html")
    pages.write(to, page.html)
    out.print(f"[green]report[/green] {escape(str(to))}  {page.seconds:.1f} s", soft_wrap=True)
    if path.suffix == ".ipynb" and page.measured:
        write_measured(path, page.measured)
        out.print(f"what was measured is in {escape(str(path))} now", style="dim", soft_wrap=True)
    for what, rows in (("error", page.errors), ("open", page.open), ("to write", page.blank)):
        for row in rows:
            err.print(f"[red]{what}[/red] {escape(pages.printable(row))}", soft_wrap=True)
    raise typer.Exit(0 if page.whole else 1)


def write_measured(path: Path, source: str) -> None:
    """Put the task ``findings`` into its cell of a notebook; CourseError where it has none."""
    notebook: Any = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell.get("cell_type") == "code" and cell_id(cell) == MEASURED:
            cell["source"] = source.splitlines(keepends=True)
            cell["outputs"], cell["execution_count"] = [], None
            pages.write(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
            return
    raise CourseError(f"{path} has no cell {MEASURED}: take the lab's notebook anew")


def cell_id(cell: dict[str, Any]) -> str:
    """nbgrader's id of a cell, or its own."""
    return cell.get("metadata", {}).get("nbgrader", {}).get("grade_id") or cell.get("id", "")


def _lab_of(path: Path) -> str:
    if not path.is_file():
        raise CourseError(f"{path}: no such file; `lab start` writes one")
    metadata = json.loads(path.read_bytes()).get("metadata", {})
    return (metadata.get("autograder") or {}).get("assignment") or path.stem


def _lab(name: str, course: Path | None) -> Any:
    found = catalog.find_course(course)
    id_ = found.resolve(name)
    if id_ not in found.labs():
        raise CourseError(f"{id_} is no lab: there is {', '.join(found.labs()) or 'none'}")
    return found.assignment(id_)


def main() -> None:
    """The entry point: one line for an error of ours, no traceback."""
    try:
        app()
    except (AutograderError, ValueError) as error:
        err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
