"""The page of an assignment: the text students get, with stubs, and what is checked.

Owns: how cells become Markdown. Must not know: solutions; what stands in a hole here is its stub.
Read before: autograder/handout.py, autograder/catalog.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from autograder.catalog import Assignment
from autograder.checks import Check
from autograder.handout import Cell


def page(assignment: Assignment) -> str:
    """The assignment's notebook as a page."""
    number = int(assignment.id.split("_")[0])
    blocks: list[str] = []
    for cell in assignment.handout.cells:
        blocks.append(block(cell, assignment))
        if len(blocks) == 1:
            blocks[0] = under_title(blocks[0], facts(assignment, number))
    return "\n\n".join(blocks) + "\n"


def facts(assignment: Assignment, number: int) -> str:
    """How much it is and how to get it."""
    n_hidden = sum(c.visibility != "visible" for c in assignment.checks)
    return (
        ":::{container} facts\n\n"
        f"{len(assignment.handout.holes)} tasks, {len(assignment.checks)} checks"
        f" ({n_hidden} of them not shown before grading), {assignment.max_points:g} points.\n"
        f"Your instructor gives you the notebook `{assignment.id}.ipynb`; this page is its text.\n"
        f"Check it with `autograder check {assignment.id}.ipynb`.\n\n:::"
    )


def under_title(text: str, more: str) -> str:
    """The text with something put below its first line, the title."""
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{more}\n{rest}"


def block(cell: Cell, assignment: Assignment) -> str:
    """One cell as Markdown."""
    if cell.kind == "markdown":
        return cell.source
    if cell.kind == "hole":
        return f":::{{container}} hole\n\n{fenced(cell.source)}\n\n:::"
    if cell.kind == "check":
        checks = [c for c in assignment.checks if c.hole == cell.name]
        return f"{fenced(cell.source)}\n\n{checked(checks)}"
    return fenced(cell.source)


def checked(checks: Iterable[Check]) -> str:
    """What a check cell looks at, each with its points, on demand."""
    checks = list(checks)
    total = sum(c.points for c in checks)
    shown = [c for c in checks if c.visibility == "visible"]
    rows = [f"- {c.title} ({c.points:g})" for c in shown]
    if len(checks) > len(shown):
        hidden = sum(c.points for c in checks) - sum(c.points for c in shown)
        rows.append(f"- {len(checks) - len(shown)} more that grading alone shows ({hidden:g})")
    return f":::{{on-demand}} What is checked, {total:g} points\n" + "\n".join(rows) + "\n:::"


def fenced(source: str, language: str = "python") -> str:
    """A block of code whose fence is longer than any in it."""
    fence = "```"
    while fence in source:
        fence += "`"
    return f"{fence}{language}\n{source}\n{fence}"
