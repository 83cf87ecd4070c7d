"""Lines of a reference in what students get: looked for in every file, before it goes out.

A line counts where it stands inside a function or method of the reference, docstrings left out, and
has at least ``SHORTEST`` characters without its white space and comment. It is found wherever a
line of a file holds it: in code, in a comment, in a cell of a notebook or its output, in the text
of a zip. What a stub gives away, the line of a signature, is in no body and so never counts.
Owns: this rule. Must not know: courses, releases, zips of ours. Read before: handout.py.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from autograder.errors import CourseError

SHORTEST = 16  # "returnNone", "i=0" are nobody's; 16 characters are a thought
WHITE = re.compile(r"\s+")


def lines_of(sources: Mapping[str, str]) -> dict[str, str]:
    """Line without white space -> the hole it belongs to, of sources as a Solution has them."""
    found: dict[str, str] = {}
    for hole, source in sources.items():
        bare = _without_comments(source).splitlines()
        for number in sorted(_inside(source)):
            line = WHITE.sub("", bare[number - 1])
            if len(line) >= SHORTEST:
                found.setdefault(line, hole)
    return found


def _inside(source: str) -> set[int]:
    """Numbers of the lines of all statements in bodies of functions, docstrings left out."""
    inside: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            doc = ast.get_docstring(node, clean=False) is not None
            for statement in node.body[doc:]:
                inside |= set(range(statement.lineno, statement.end_lineno + 1))
    return inside


def _without_comments(source: str) -> str:
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(lines)


def find(files: Iterable[tuple[str, bytes]], sought: Mapping[str, str]) -> list[str]:
    """``name: line of HOLE: ...`` for each line of ``sought`` in each of these files."""
    found = []
    for name, data in files:
        text = "\n".join(WHITE.sub("", line) for line in _texts(name, data))
        found += [
            f"{name}: a line of {hole}: {line}" for line, hole in sought.items() if line in text
        ]
    return found


def below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of every file below a folder, or of the one file it is."""
    paths = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    for path in paths:
        if path.is_file():
            name = path.relative_to(folder).as_posix() if path != folder else path.name
            yield name, path.read_bytes()


def refuse(files: Iterable[tuple[str, bytes]], reference: Mapping[str, str]) -> None:
    """CourseError where a file holds a line of the reference."""
    found = find(files, lines_of(reference))
    if found:
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise CourseError(f"students would get a solution: {found[0]}{more}")


def _texts(name: str, data: bytes) -> Iterator[str]:
    """The lines of a file: of every string of a notebook or of other JSON, of every zip's file."""
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for inner in archive.namelist():
                yield from _texts(inner, archive.read(inner))
        return
    text = data.decode("utf-8", errors="replace")
    yield from text.splitlines()
    if name.endswith((".ipynb", ".json")):
        yield from _strings(json.loads(text))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from value.splitlines()
    elif isinstance(value, list):
        if all(isinstance(v, str) for v in value):
            yield from "".join(value).splitlines()
        for part in value:
            yield from _strings(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _strings(part)
