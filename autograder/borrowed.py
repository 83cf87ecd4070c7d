"""What a hole uses and another cell defines: taken along, so that a moved function costs nothing.

Of other cells only statements that define a needed name are taken, and only those that do nothing
but define (functions, classes, imports, plain values); what a cell prints, plots or tries out
stays behind. Owns: which statements. Must not know: notebooks, handouts, sandboxes. Nothing is run
here. Read before: submission.py.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
from collections.abc import Mapping
from dataclasses import dataclass

BUILT_IN = frozenset(dir(builtins))
BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError)
MAGIC = re.compile(r"^(\s*)[%!].*$", re.M)
MOST = 200  # names followed for one submission


@dataclass(frozen=True)
class Definition:
    """A statement of cell ``number`` that defines ``names``."""

    number: int
    names: frozenset[str]
    source: str
    line: int
    column: int

    @property
    def place(self) -> tuple[int, int, int]:
        return self.number, self.line, self.column


def taken(
    holes: Mapping[str, str], cells: Mapping[int, str], given: frozenset[str]
) -> tuple[dict[str, str], dict[str, int]]:
    """(the holes with what they need in front, name -> number of the cell it was taken from).

    ``cells`` are the other code cells in order, ``given`` the names that need nothing: a later
    definition of a name stands for an earlier one, as in a notebook that is run from the top.
    """
    if not any(uses(source) - given - holes.keys() for source in holes.values()):
        return dict(holes), {}
    known: dict[str, Definition] = {}
    for number, source in cells.items():
        for one in definitions(number, source):
            known |= dict.fromkeys(one.names, one)
    given = given | frozenset(holes)
    made, came_from = dict(holes), {}
    for hole, source in holes.items():
        needed = _needed(source, known, given | frozenset(came_from))
        if not needed:
            continue
        came_from |= {name: d.number for d in needed for name in d.names}
        head = [f"# from cell {d.number}:\n{d.source}" for d in needed]
        made[hole] = "\n\n".join([*head, source])
    return made, came_from


def _needed(
    source: str, known: Mapping[str, Definition], given: frozenset[str]
) -> list[Definition]:
    """The definitions that a source needs, and those that these need, in the notebook's order."""
    found: dict[tuple, Definition] = {}
    seen: set[str] = set()
    todo = [source]
    while todo and len(seen) < MOST:
        for name in uses(todo.pop()) - given - seen:
            seen.add(name)
            if name in known:
                one = known[name]
                if one.place not in found:
                    found[one.place] = one
                    todo.append(one.source)
    return [found[at] for at in sorted(found)]


def uses(source: str) -> frozenset[str]:
    """Global names that a source reads and does not define; none of one that does not compile."""
    try:
        top = symtable.symtable(source, "<hole>", "exec")
    except BROKEN:
        return frozenset()
    own = {s.get_name() for s in top.get_symbols() if s.is_assigned() or s.is_imported()}
    read, todo = set(), [top]
    while todo:
        table = todo.pop()
        todo += table.get_children()
        for symbol in table.get_symbols():
            free = symbol.is_global() or table is top
            if free and symbol.is_referenced():
                read.add(symbol.get_name())
    return frozenset(read - own - BUILT_IN)


def definitions(number: int, source: str) -> list[Definition]:
    """The statements at a source's top level that only define; lines of IPython are passed over."""
    try:
        body = ast.parse(source).body
    except BROKEN:
        source = without_magic(source)
        try:
            body = ast.parse(source).body
        except BROKEN:
            return []
    found = []
    for node in body:
        names = _defined(node)
        if names:
            above = [ast.get_source_segment(source, d) for d in getattr(node, "decorator_list", ())]
            text = "\n".join(
                [*(f"@{d}" for d in above), ast.get_source_segment(source, node) or ""]
            )
            found.append(Definition(number, names, text, node.lineno, node.col_offset))
    return found


def without_magic(source: str) -> str:
    """A source whose lines of IPython (% or !) do nothing."""
    return MAGIC.sub(r"\1pass", source)


def _defined(node: ast.stmt) -> frozenset[str]:
    """The names that a statement defines if it does nothing else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return frozenset([node.name])
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {(a.asname or a.name).split(".")[0] for a in node.names}
        return frozenset(names - {"*"})
    targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
    plain = isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
    if not plain or not all(isinstance(t, ast.Name) for t in targets):
        return frozenset()
    acts = ast.Call | ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Subscript
    if any(isinstance(n, acts) for n in ast.walk(node.value)):
        return frozenset()
    return frozenset(t.id for t in targets)
