"""What a student handed in: the sources of the holes, taken from a notebook that may be damaged.

Owns: reading an untrusted .ipynb without running or trusting any of it. Of the file only the
sources of holes are used, and definitions of other cells that they need; all else, metadata, tags,
points and outputs, comes from the handout. What was repaired or chosen is said in ``notes``.
Must not know: checks, sandboxes, marks; it imports no notebook library, so that it works wherever
Python does. Read before: handout.py, borrowed.py.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from autograder import borrowed
from autograder.errors import SubmissionError
from autograder.handout import Handout

MAX_BYTES = 50 * 2**20  # of a notebook
MAX_HOLE = 256 * 2**10  # characters of one hole; the handouts' own holes have under 4,000
MAX_CELLS = 10_000
MAX_CELL = 4 * 2**20  # characters of a cell in a damaged notebook
KNOWN, MAX_KNOWN = 500, 10_000  # sources remembered with the names they define, characters of one
MOST_TRIES, MOST_WORK = 5_000, 64 * 2**20  # places where one may begin, characters read for it


@dataclass(frozen=True)
class Submission:
    """Sources of the holes that were found, in the handout's order.

    A hole comes with the definitions it uses from other cells (borrowed.py). ``notes`` say what was
    odd, for student and instructor. ``answers`` are the texts that a human reads. ``elsewhere``
    maps a name that another cell defines and that was not taken along to that cell's number (from
    1), to explain a NameError.
    """

    holes: Mapping[str, str]
    notes: tuple[str, ...] = ()
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    answers: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Of what will run; two submissions with the same holes have the same."""
        return hashlib.sha256(json.dumps(dict(self.holes)).encode()).hexdigest()


@dataclass(frozen=True)
class Candidate:
    """A cell that may be a hole's. ``by`` says how it was found; smaller ``rank`` is better."""

    number: int
    source: str
    by: str
    rank: tuple
    note: str


def read(path: Path | str, handout: Handout) -> Submission:
    """Find each hole of ``handout`` in the notebook at ``path``.

    A hole is a cell by its grade_id or cell id; where that cell is lost, or is an untouched stub, a
    code cell that defines the hole's name. SubmissionError where the file is no notebook at all.
    """
    cells, notes = _load(Path(path))
    code = {n: _defines(c["source"]) for n, c in cells.items() if c["type"] == "code"}
    holes, used = {}, set()
    for hole, stub in handout.stubs.items():
        found = [c for n, cell in cells.items() if (c := _candidate(n, cell, hole, stub, code))]
        found = _not_of_others(found, cells, handout.holes, hole)
        if not found:
            notes.append(f"{hole}: no cell with this id and none that defines it")
            continue
        best = min(found, key=lambda c: c.rank)
        holes[hole] = best.source
        used.add(best.number)
        notes += [f"{hole}: {n}" for n in _notes(best, found)]
    ours = {name for c in handout.cells if c.kind == "code" for name in _defines(c.source)}
    ours |= set(handout.holes)
    rest = [n for n in code if n not in used]
    others = {n: s for n in rest if len(s := cells[n]["source"]) <= MAX_HOLE}
    own = {name for source in holes.values() for name in _defines(source)}
    holes, taken = borrowed.taken(holes, others, frozenset(ours | own))
    for number in sorted(set(taken.values())):
        names = ", ".join(sorted(n for n, at in taken.items() if at == number))
        notes.append(f"{names}: taken from cell {number}, which is no task's cell")
    elsewhere = {name: n for n in rest for name in code[n] - ours if name not in taken}
    return Submission(holes, tuple(notes), elsewhere, _answers(cells, handout))


def _answers(cells: Mapping[int, dict[str, Any]], handout: Handout) -> dict[str, str]:
    """The text of each answer, by grade_id or cell id; one written to before one that is not."""
    found = {}
    for name, stub in handout.answers.items():
        texts = [c["source"] for c in cells.values() if name in (c["grade_id"], c["id"])]
        texts = [t[:MAX_HOLE] for t in texts]
        written = [t for t in texts if t.split() != stub.split()]
        if texts:
            found[name] = (written or texts)[0]
    return found


def _load(path: Path) -> tuple[dict[int, dict[str, Any]], list[str]]:
    """(cells by number with type, source, ids and count; notes)."""
    data = _bytes(path)
    notes = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8-sig", errors="replace")
        notes.append(f"not UTF-8 at byte {error.start}; the bytes were replaced")
    try:
        notebook = json.loads(text)
    except RecursionError:
        raise SubmissionError("not a notebook: nested too deeply") from None
    except ValueError as error:
        notebook = {"cells": whole_cells(text)}
        why = f"broken JSON: {str(error)[:120]}"
        if not notebook["cells"]:
            raise SubmissionError(f"not a notebook: {why}") from None
        notes.append(f"{why}; {len(notebook['cells'])} cells could be read")
    rows = _rows(notebook)
    if rows is None:
        raise SubmissionError("not a notebook: it has no list of cells")
    if len(rows) > MAX_CELLS:
        notes.append(f"{len(rows)} cells; only the first {MAX_CELLS} are looked at")
    cells = {n: cell for n, row in enumerate(rows[:MAX_CELLS], 1) if (cell := _cell(row))}
    return cells, notes


def whole_cells(text: str) -> list[dict[str, Any]]:
    """The cells that can be read of a notebook cut short, or with the marks of a git conflict.

    What is tried is bounded: by tries, and by the characters read in all of them.
    """
    decoder, cells, work = json.JSONDecoder(), [], 0
    at = text.find('"cells"')
    for _ in range(MOST_TRIES if at >= 0 else 0):
        at = text.find("{", at)
        if at < 0 or work > MOST_WORK:
            break
        window, step = text[at : at + MAX_CELL], 1
        try:
            found, end = decoder.raw_decode(window)
            work += end
            if isinstance(found, dict) and "cell_type" in found:
                cells.append(found)
                step = end
        except json.JSONDecodeError as error:
            # of a text without an end the place is where it began
            work += len(window) if "Unterminated" in error.msg else error.pos
        except RecursionError:
            work += len(window)
        at += step
    return cells


def _bytes(path: Path) -> bytes:
    """The file's bytes; neither it nor the two folders above it may be a link."""
    for part in (path.parent.parent, path.parent, path):
        if part.is_symlink():
            raise SubmissionError(f"{part.name} is a symbolic link; links are not followed")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise SubmissionError(f"{path.name} cannot be opened: {error.strerror}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise SubmissionError(f"{path.name} is no regular file")
    with os.fdopen(handle, "rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SubmissionError(f"{path.name} is larger than {MAX_BYTES // 2**20} MiB")
    return data


def _rows(notebook: Any) -> list | None:
    """The cells of nbformat 4, or of the old nbformat 3 with its worksheets."""
    if not isinstance(notebook, dict):
        return None
    rows = notebook.get("cells")
    if rows is None and isinstance(sheets := notebook.get("worksheets"), list):
        rows = [c for s in sheets if isinstance(s, dict) for c in _list(s.get("cells"))]
    return rows if isinstance(rows, list) else None


def _list(value: Any) -> list:
    return value if isinstance(value, list) else []


def _cell(row: Any) -> dict[str, Any] | None:
    """What is looked at of a cell, each value of the type it should have; None for no cell."""
    if not isinstance(row, dict):
        return None
    source = row.get("source", row.get("input", ""))
    if isinstance(source, list):
        source = "".join(s for s in source if isinstance(s, str))
    if not isinstance(source, str):
        return None
    metadata = row.get("metadata")
    nbgrader = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    count = row.get("execution_count")
    return {
        "type": row.get("cell_type"),
        # lone surrogates can be written in JSON and cannot be encoded anywhere
        "source": source.encode("utf-8", errors="replace").decode("utf-8"),
        "grade_id": grade_id if isinstance(grade_id, str) else None,
        "id": row.get("id") if isinstance(row.get("id"), str) else None,
        "count": count if type(count) is int else 0,
    }


def _candidate(
    number: int, cell: dict[str, Any], hole: str, stub: str, code: Mapping[int, frozenset[str]]
) -> Candidate | None:
    """The cell as a candidate for the hole, or None. Smaller rank is better:

    works (compiles, defines the name) and is not the untouched stub; found by grade_id before cell
    id before name; run last; stands first.
    """
    if hole == cell["grade_id"]:
        by = "grade_id"
    elif hole == cell["id"] and cell["grade_id"] is None:
        by = "id"
    elif hole in code.get(number, ()):
        by = "name"
    else:
        return None
    source, note = cell["source"], ""
    if len(source) > MAX_HOLE:
        source, note = "", f"cell {number} has more than {MAX_HOLE // 1024} KiB; it was not read"
    names = _defines(source)
    if not names and borrowed.MAGIC.search(source):
        plain = borrowed.without_magic(source)
        if hole in _defines(plain):
            source, names = plain, _defines(plain)
            note = "lines of IPython (% or !) were left out"
    if by != "name" and cell["type"] != "code":
        note = "; ".join(filter(None, (note, f"the cell had become {cell['type']!s:.20}")))
    untouched = source.split() == stub.split()
    order = ("grade_id", "id", "name").index(by)
    rank = (hole not in names, untouched, order, -cell["count"], number)
    return Candidate(number, source, by, rank, note)


def _not_of_others(
    found: list[Candidate], cells: Mapping[int, dict], holes: tuple[str, ...], hole: str
) -> list[Candidate]:
    """Without cells that are another hole's own: a helper copied there must not take its place."""
    others = set(holes) - {hole}
    return [c for c in found if c.by != "name" or cells[c.number]["grade_id"] not in others]


def _notes(best: Candidate, found: list[Candidate]) -> list[str]:
    notes = [best.note] if best.note else []
    same = [c for c in found if c.by != "name"]
    if len(same) > 1:
        numbers = ", ".join(str(c.number) for c in same)
        notes.append(f"cells {numbers} carry this id; cell {best.number} was taken")
    if best.by == "name":
        why = (
            "the cell with its id was lost"
            if not same
            else "the cell with its id was left as it was"
        )
        notes.append(f"found by its name in cell {best.number}; {why}")
    elif best.by == "id":
        notes.append("found by its cell id; nbgrader's metadata was lost")
    return notes


def _defines(source: str) -> frozenset[str]:
    """Names a source binds at its top level; none if it does not compile or is far too long."""
    if len(source) > MAX_HOLE:
        return frozenset()
    return _known_names(source) if len(source) <= MAX_KNOWN else _names(source)


@lru_cache(KNOWN)
def _known_names(source: str) -> frozenset[str]:
    """The same, remembered: a hole is asked for thrice, a cell of ours in every notebook."""
    return _names(source)


def _names(source: str) -> frozenset[str]:
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    names = set()
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).split(".")[0] for a in node.names}
        else:
            targets = getattr(node, "targets", None) or [getattr(node, "target", None)]
            names |= {t.id for t in targets if isinstance(t, ast.Name)}
    return frozenset(names)
