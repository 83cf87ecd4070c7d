"""The kill matrix as a page: checks across, submissions down, the tag of each failure in its cell.

Self-contained, runs nothing and loads nothing. Owns: this page. Must not know: how a submission is
run or judged. Read before: verify.py, pages.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autograder import pages
from autograder.catalog import Assignment
from autograder.verify import Matrix, Row

KINDS = {  # in the order of the page: heading, what it must do
    "reference": ("Reference", "passes every check, on every seed"),
    "alternate": ("Right in another way", "pass every check, on every seed"),
    "wrong": ("Wrong", "fail exactly the checks they name, with the tags they name"),
    "stub": ("Untouched", "gets nothing"),
    "exploit": ("Hostile", "get no more than their honest marks and disturb nobody"),
}


def write(
    path: Path,
    matrices: Iterable[Matrix],
    assignments: Mapping[str, Assignment],
    *,
    seeds: int,
    sandbox: str,
) -> Path:
    """Write the page of these matrices to ``path``; ``assignments`` has their texts, by id."""
    return pages.write(path, page(matrices, assignments, seeds=seeds, sandbox=sandbox))


def page(
    matrices: Iterable[Matrix],
    assignments: Mapping[str, Assignment],
    *,
    seeds: int,
    sandbox: str,
) -> str:
    """The page as HTML."""
    shown = [_matrix(m, assignments[m.assignment]) for m in matrices]
    return pages.page(
        "matrix.html",
        "matrix.css",
        matrices=shown,
        seeds=seeds,
        sandbox=sandbox,
        unsandboxed=sandbox in pages.WITHOUT,
    )


def _matrix(matrix: Matrix, assignment: Assignment) -> dict[str, Any]:
    ideas = {(s.kind, s.name): s.idea for s in assignment.solutions()}
    checks = [
        {"id": c.id, "hole": c.hole, "title": c.title, "hidden": c.visibility != "visible"}
        for c in assignment.checks
    ]
    kinds = [
        {"heading": heading, "must": must, "rows": rows}
        for kind, (heading, must) in KINDS.items()
        if (rows := [_row(matrix, r, ideas) for r in _in_order(matrix, kind)])
    ]
    caught = {c: sum(bool(r.tags.get(c)) for r in matrix.rows if r.kind == "wrong")
              for c in matrix.checks}  # fmt: skip
    off = [(f"{r.kind} {r.name}", p) for r in matrix.rows for p in r.problems]
    off += [("bank", p) for p in matrix.problems]
    return {
        "title": assignment.handout.title,
        "id": matrix.assignment,
        "checks": checks,
        "kinds": kinds,
        "caught": [caught[c] for c in matrix.checks],
        "n_rows": len(matrix.rows),
        "off": off,
    }


def _in_order(matrix: Matrix, kind: str) -> list[Row]:
    """Wrong ones by the checks they fail, so that the cells run down a diagonal."""
    rows = [r for r in matrix.rows if r.kind == kind]
    if kind != "wrong":
        return rows
    return sorted(rows, key=lambda r: [n for n, c in enumerate(matrix.checks) if r.tags.get(c)])


def _row(matrix: Matrix, row: Row, ideas: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    """A submission; a cell is off where one of its problems names the check."""
    off = {p.split(":")[0] for p in row.problems}
    cells = []
    for check in matrix.checks:
        tag = row.tags.get(check)
        kind = "off" if check in off else "none" if tag is None else "failed" if tag else "passed"
        cells.append({"kind": kind, "tag": tag or ""})
    return {
        "name": row.name,
        "idea": " ".join(ideas.get((row.kind, row.name), "").split()),
        "points": row.points,
        "cells": cells,
        "off": bool(row.problems),
    }
