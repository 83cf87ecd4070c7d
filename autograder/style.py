"""What a machine can say of code by its text: lint, size, types, docstrings. Nothing is run.

Owns: the measures, and the one call of ruff (on text, isolated: nothing of a submission can set its
rules). Must not know: points, which measure a course asks for. Read before: errors.py.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autograder.errors import AutograderError

SECONDS = 30.0  # for one run of ruff; it needs some hundredths
NOT_OF_CELLS = "E402,F811"  # a cell's imports stand at its own top, and are repeated in others
BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Finding:
    """One thing found: the hole it stands in, the line there, a rule's name, what it says."""

    hole: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.hole}, line {self.line}: {self.text} ({self.rule})"


def lint(
    sources: Mapping[str, str], rules: Sequence[str], *, complexity: int = 10, width: int = 100
) -> list[Finding]:
    """What ruff finds in sources that share a namespace, comments like ``noqa`` left aside.

    A text that ruff cannot read at all is a finding. AutograderError where ruff is missing.
    """
    text, starts = "import numpy as np\n\n_ = np\n", {}
    for hole, source in sources.items():
        starts[hole] = text.count("\n")
        text += source.rstrip("\n") + "\n\n\n"
    command = [
        _ruff(), "check", "--isolated", "--no-cache", "--ignore-noqa", "--quiet", "--exit-zero",
        "--target-version", "py311", "--line-length", str(width), "--select", ",".join(rules),
        "--ignore", NOT_OF_CELLS,
        "--config", f"lint.mccabe.max-complexity={complexity}",
        "--output-format", "json", "--stdin-filename", "submission.py", "-",
    ]  # fmt: skip
    given = text.encode("utf-8", "replace")
    try:
        ran = subprocess.run(command, input=given, capture_output=True, timeout=SECONDS)
        rows = json.loads(ran.stdout)
    except (ValueError, subprocess.TimeoutExpired):  # a text nested so deep that ruff ends, say
        return [Finding(next(iter(sources), ""), 1, "unreadable", "ruff cannot read these texts")]
    return [_finding(row, starts) for row in rows]


def _ruff() -> str:
    """Its program: among this Python's own scripts, or on the PATH."""
    found = shutil.which("ruff", path=sysconfig.get_path("scripts")) or shutil.which("ruff")
    if found is None:
        raise AutograderError("ruff is missing: pip install 'ruff>=0.14,<0.15'")
    return found


def _finding(row: Mapping, starts: Mapping[str, int]) -> Finding:
    """A row of ruff's JSON, its line counted from the hole's first."""
    line = int((row.get("location") or {}).get("row", 1))
    before = [(start, hole) for hole, start in starts.items() if start < line]
    start, hole = max(before, default=(0, ""))
    text = " ".join(str(row.get("message", "")).split())[:200]
    return Finding(hole, line - start, str(row.get("code") or "invalid-syntax"), text)


def unfinished(sources: Mapping[str, str]) -> list[str]:
    """Holes that cannot be parsed or of which a function does nothing but raise."""
    return [hole for hole, source in sources.items() if _is_unfinished(source)]


def _is_unfinished(source: str) -> bool:
    tree = _parsed(source)
    if tree is None:
        return True
    bodies = [[n for n in f.body if not _is_text(n)] for f in ast.walk(tree) if _is_function(f)]
    return any(len(b) == 1 and isinstance(b[0], ast.Raise) and _not_done(b[0]) for b in bodies)


def _not_done(node: ast.Raise) -> bool:
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return "NotImplementedError" in names


def long_functions(sources: Mapping[str, str], most: int) -> list[Finding]:
    """Functions of more than ``most`` lines, signature and docstring left out."""
    found = []
    for hole, tree in _trees(sources):
        for node in filter(_is_function, ast.walk(tree)):
            body = [n for n in node.body if not _is_text(n)] or node.body
            n = body[-1].end_lineno - body[0].lineno + 1
            if n > most:
                text = f"{node.name} has {n} lines, at most {most} are wanted"
                found.append(Finding(hole, node.lineno, "long-function", text))
    return found


def untyped(sources: Mapping[str, str]) -> list[Finding]:
    """Public functions and methods with a parameter or a result that has no type."""
    found = []
    for hole, tree in _trees(sources):
        for node, method in _public(tree, dunder=True):
            given = [*node.args.posonlyargs, *node.args.args]
            given = given[1:] if method and not _is_static(node) else given
            given += [*node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
            bare = [a.arg for a in given if a is not None and a.annotation is None]
            bare += ["its result"] if node.returns is None else []
            if bare:
                text = f"{node.name}: no type for {', '.join(bare)}"
                found.append(Finding(hole, node.lineno, "no-type", text))
    return found


def undocumented(sources: Mapping[str, str], least: int = 10) -> list[Finding]:
    """Public functions, methods and classes without a docstring of at least ``least`` letters."""
    found = []
    for hole, tree in _trees(sources):
        nodes = [n for n, _ in _public(tree, dunder=False)]
        nodes += [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_"]
        for node in nodes:
            if len((ast.get_docstring(node) or "").strip()) < least:
                text = f"{node.name} has no docstring"
                found.append(Finding(hole, node.lineno, "no-docstring", text))
    return found


def _public(tree: ast.Module, dunder: bool) -> Iterator[tuple[Function, bool]]:
    """(function, is it a method) of all that is public; special methods only with ``dunder``."""
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for one in filter(_is_function, inside):
            special = one.name.startswith("__") and one.name.endswith("__")
            if not one.name.startswith("_") or (special and dunder):
                yield one, one is not node


def _trees(sources: Mapping[str, str]) -> Iterator[tuple[str, ast.Module]]:
    for hole, source in sources.items():
        tree = _parsed(source)
        if tree is not None:
            yield hole, tree


def _parsed(source: str) -> ast.Module | None:
    try:
        return ast.parse(source)
    except BROKEN:
        return None


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, Function)


def _is_static(node: Function) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "staticmethod" for d in node.decorator_list)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
