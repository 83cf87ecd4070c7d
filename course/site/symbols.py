"""The text of a function, class, method or table of ours, found by its dotted name.

    find("minengine.ops.rms_norm").text

Owns: where a symbol begins and ends in .py, .pyx, .pxd and .h files. Nothing is imported, so a
broken build of the engine does not break its text. Must not know: pages, what is closed.
"""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SUFFIXES = (".py", ".pyx", ".pxd", ".h")
LANGUAGES = {".py": "python", ".pyx": "cython", ".pxd": "cython", ".h": "c"}
# Words that may stand before a name where Cython defines it.
CYTHON = re.compile(
    r"^(?P<indent>\s*)(?:def|cpdef|cdef|ctypedef|class)\b[^(=#]*?\b(?P<name>[A-Za-z_]\w*)\s*[(:\[]"
)
TABLE = re.compile(r"^(?:cdef\s+[\w\[\], *]*?\s)?(?P<name>[A-Za-z_]\w*)\s*(?::[^=]+)?=[^=]")
C = re.compile(r"^[A-Za-z_][\w\s*(),]*?\b(?P<name>[A-Za-z_]\w*)\s*\([^;]*$")
RULER = re.compile(r"^#.*-{8,}$|^# -\*-")


class SymbolError(LookupError):
    """A dotted name that stands for nothing of ours."""


@dataclass(frozen=True)
class Symbol:
    """A symbol's text: lines `first` to `last` (from 1) of `path`, relative to the root."""

    name: str
    path: Path
    first: int
    last: int
    text: str

    @property
    def language(self) -> str:
        """What to highlight it as."""
        return LANGUAGES[self.path.suffix]


def find(name: str, root: Path = ROOT) -> Symbol:
    """The symbol of this dotted name: a module's function, class or table, or a class's member.

    Raises: SymbolError, with what the file does define, where it is not there.
    """
    path, parts = source_of(name, root)
    lines = path.read_text(encoding="utf-8").splitlines()
    known = spans(path)
    wanted = ".".join(parts)
    if wanted not in known:
        near = [s for s in known if s.split(".")[-1].lower() == parts[-1].lower()]
        there = ", ".join(near or [s for s in known if "." not in s])
        raise SymbolError(f"{name}: {path.relative_to(root)} has no {wanted}; it has {there}")
    first, last = known[wanted]
    return Symbol(name, path.relative_to(root), first, last, "\n".join(lines[first - 1 : last]))


def part_of(symbol: Symbol, part: str) -> tuple[str, int, int]:
    """(text, first line, last line) of the symbol, or of the lines from A to B for "A .. B".

    Raises: SymbolError where a line that contains A, or after it one with B, is not there.
    """
    if not part:
        return symbol.text, symbol.first, symbol.last
    begin, dots, end = (p.strip().strip('"') for p in part.partition(" .. "))
    lines = symbol.text.splitlines()
    if not dots:
        raise SymbolError(f'{symbol.name}: part {part!r}: want "text of a line .. text of a line"')
    first = next((i for i, line in enumerate(lines) if begin in line), None)
    if first is None:
        raise SymbolError(f"{symbol.name}: no line contains {begin!r}")
    last = next((i for i in range(first, len(lines)) if end in lines[i]), None)
    if last is None:
        raise SymbolError(f"{symbol.name}: no line from {begin!r} on contains {end!r}")
    kept = lines[first : last + 1]
    indent = min(len(line) - len(line.lstrip()) for line in kept if line.strip())
    text = "\n".join(line[indent:] for line in kept)
    return text, symbol.first + first, symbol.first + last


def source_of(name: str, root: Path = ROOT) -> tuple[Path, list[str]]:
    """(file, what follows the module's name) for a dotted name.

    Where a .pyx and a .pxd have one name, the .pyx that defines it counts, else the .pxd.
    Raises: SymbolError where no such file is.
    """
    parts = name.split(".")
    if not all(re.fullmatch(r"\w+", p) for p in parts):
        raise SymbolError(f"{name!r}: want a dotted name such as minengine.ops.rms_norm")
    for n in range(len(parts) - 1, 0, -1):
        base = root.joinpath(*parts[:n])
        found = [p for s in SUFFIXES if (p := base.with_name(base.name + s)).is_file()]
        if n == len(parts) - 1 and (base / "__init__.py").is_file():
            found.append(base / "__init__.py")
        for path in found:
            if len(found) == 1 or path is found[-1] or parts[n] in spans(path):
                return path, parts[n:]
    raise SymbolError(f"{name}: no file {'/'.join(parts[:-1])} with one of {', '.join(SUFFIXES)}")


def spans(path: Path) -> dict[str, tuple[int, int]]:
    """Dotted name in the file -> (first, last line) of its definition, comments above included."""
    return _spans(path.read_text(encoding="utf-8"), path.suffix)


@functools.cache
def _spans(text: str, suffix: str) -> dict[str, tuple[int, int]]:
    lines = text.splitlines()
    found = _python(text) if suffix == ".py" else _by_indent(lines, suffix)
    return {name: (_with_comments(lines, first), last) for name, (first, last) in found.items()}


def _python(text: str) -> dict[str, tuple[int, int]]:
    """Dotted name -> (first, last line) of each definition and each assignment to a name."""
    spans: dict[str, tuple[int, int]] = {}

    def visit(body: list[ast.stmt], before: str) -> None:
        for node in body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                spans[before + node.name] = (first, node.end_lineno or first)
                if isinstance(node, ast.ClassDef):
                    visit(node.body, f"{before}{node.name}.")
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    for leaf in ast.walk(target):
                        if isinstance(leaf, ast.Name):
                            span = (node.lineno, node.end_lineno or node.lineno)
                            spans.setdefault(before + leaf.id, span)

    visit(ast.parse(text).body, "")
    return spans


def _by_indent(lines: list[str], suffix: str) -> dict[str, tuple[int, int]]:
    """The same for Cython and C: a definition ends before the next line at its indentation."""
    spans: dict[str, tuple[int, int]] = {}
    inside: list[tuple[int, str]] = []  # (indentation, name) of the classes that are open
    for i, line in enumerate(lines):
        if not line.strip() or line.lstrip().startswith(("#", "@", '"', "'")):
            continue
        indent = len(line) - len(line.lstrip())
        inside = [c for c in inside if c[0] < indent]
        found = _definition(line, suffix)
        if found is None or (indent and not inside):
            continue
        first = i
        while first and lines[first - 1].startswith(" " * indent + "@"):
            first -= 1
        name = ".".join([*(c[1] for c in inside), found])
        spans.setdefault(name, (first + 1, _end(lines, i, indent)))
        if re.match(r"\s*(cdef\s+)?class\b", line):
            inside.append((indent, found))
    return spans


def _definition(line: str, suffix: str) -> str | None:
    """The name that this line begins to define."""
    if suffix == ".h":
        found = C.match(line)
        return found["name"] if found and not line.startswith(("return", "else", "#")) else None
    found = CYTHON.match(line) or TABLE.match(line)
    return found["name"] if found else None


def _end(lines: list[str], start: int, indent: int) -> int:
    """The last line (from 1) of what begins at `start`."""
    last = start
    for i in range(start + 1, len(lines)):
        line = lines[i]
        if not line.strip():
            continue
        closes = line.lstrip()[0] in ")]}" and len(line) - len(line.lstrip()) == indent
        if len(line) - len(line.lstrip()) <= indent and not closes:
            break
        last = i
    return last + 1


def _with_comments(lines: list[str], first: int) -> int:
    """Where the comment right above a definition begins; the ruler of a section is not its own."""
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        if RULER.match(lines[first - 2].strip()):
            break
        first -= 1
    return first
