"""Hostile submissions that are about files, names and notebooks rather than code.

Each row of FOLDERS makes one folder ``submitted/STUDENT/ASSIGNMENT`` out of an honest one: the
solution in the holes, what is done to the folder, and what its own work is worth. Of the tiny
course, whose reference is worth 6 points, the stub none. ``tests/autograder/test_hostile_folders``
grades them between honest ones, ``bench/exploits.py`` prints the table.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCRIPT = "<script>alert('autograder')</script><img src=x onerror=alert(1)>"
CODES = "\x1b]0;owned\x07\x1b[31m\x1b[2J\u202e"
NOTEBOOK = "01_tiny.ipynb"


@dataclass(frozen=True)
class Place:
    """What a row works on: the folder, the file, the notebook in it, the course around it."""

    folder: Path
    course: Path
    notebook: dict[str, Any]

    @property
    def path(self) -> Path:
        return self.folder / NOTEBOOK

    def cell(self, id_: str) -> dict[str, Any]:
        return next(c for c in self.notebook["cells"] if c["id"] == id_)

    def save(self) -> None:
        self.path.write_text(json.dumps(self.notebook), encoding="utf-8")


@dataclass(frozen=True)
class Row:
    """One kind: ``solution`` fills the holes, ``do`` spoils it, ``honest`` is what it is worth."""

    idea: str
    solution: str
    honest: float | None  # None: it cannot be graded, and the instructor is told so
    do: Callable[[Place], None]
    student: str = ""  # its name, where that is the attack


def edited(change: Callable[[Place], Any]) -> Callable[[Place], None]:
    """A change of the notebook that is then saved."""

    def do(place: Place) -> None:
        change(place)
        place.save()

    return do


def replaced(make: Callable[[Place], Any]) -> Callable[[Place], None]:
    """Something else in the place of the notebook."""

    def do(place: Place) -> None:
        place.path.unlink()
        make(place)

    return do


def beside(name: str, text: str = "raise SystemExit('owned')\n") -> Callable[[Place], None]:
    """A file beside the notebook."""

    def do(place: Place) -> None:
        path = place.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return do


def all_cells(**more: Any) -> Callable[[Place], None]:
    """Every cell's metadata has this too."""
    return edited(lambda p: [c["metadata"].update(more) for c in p.notebook["cells"]])


def forged_points(place: Place) -> None:
    for cell in place.notebook["cells"]:
        about = cell["metadata"].get("nbgrader", {})
        about.update(points=1000, grade=False, solution=True, locked=False)


def forged_outputs(place: Place) -> None:
    """Results that claim success, and markup in every kind of output that a page could show."""
    said = {
        "output_type": "execute_result", "execution_count": 1, "metadata": {},
        "data": {
            "text/plain": "1000.0", "text/html": SCRIPT, "image/svg+xml": f"<svg>{SCRIPT}</svg>",
            "text/markdown": SCRIPT, "application/javascript": "alert(1)", "text/latex": SCRIPT,
        },
    }  # fmt: skip
    for cell in place.notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [said]


def duplicated(place: Place) -> None:
    """Each hole and each check again, under the same ids, at the end and at the start."""
    cells = place.notebook["cells"]
    copies = [json.loads(json.dumps(c)) for c in cells]
    for copy in copies:
        copy["source"] = "raise SystemExit" if copy["cell_type"] == "code" else copy["source"]
    place.notebook["cells"] = [*cells, *copies]


def copied_check(place: Place) -> None:
    """The check cell replaced by one that passes, its id kept."""
    for id_ in ("check_center", "check_Tally"):
        place.cell(id_)["source"] = "1000.0"


def printed_codes(place: Place) -> None:
    """Terminal codes and markup in source, printed text, error and metadata."""
    hole = place.cell("center")
    hole["source"] = (
        f"import sys\nprint({CODES + SCRIPT!r})\nprint({CODES!r}, file=sys.stderr)\n"
        f"def center(x, weight):\n    raise ValueError({CODES + SCRIPT + '</pre>'!r})\n"
    )
    place.notebook["metadata"]["title"] = CODES + SCRIPT


def huge(place: Place) -> None:
    with place.path.open("ab") as file:
        file.truncate(51 << 20)


def bomb(place: Place) -> None:
    """A million cells in few bytes of JSON."""
    cells = json.dumps({"cell_type": "code", "source": "", "metadata": {}})
    place.path.write_text(f'{{"cells": [{",".join([cells] * 200_000)}]}}')


def long_output(place: Place) -> None:
    """An honest solution under 45 MB of output: below the cap."""
    line = {"output_type": "stream", "name": "stdout", "text": "x" * (45 << 20)}
    place.cell("check_center")["outputs"] = [line]


def nested_folders(place: Place) -> None:
    folder = place.folder
    for _ in range(60):
        folder = folder / "d"
    folder.mkdir(parents=True)


def unix_socket(place: Place) -> None:
    here = os.getcwd()
    os.chdir(place.folder)  # a socket's path has 107 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("s")
    finally:
        os.chdir(here)


def to_source(place: Place) -> Path:
    return next((place.course / "source").rglob("*.ipynb"))


FOLDERS: dict[str, Row] = {
    # links, pipes and other things that are no files
    "symlink_to_source": Row(
        "the notebook is a link to the instructor's", "stub", 0,
        replaced(lambda p: p.path.symlink_to(to_source(p)))),
    "symlink_to_gradebook": Row(
        "the notebook is a link to the gradebook", "stub", 0,
        replaced(lambda p: p.path.symlink_to(p.course / "gradebook.db"))),
    "symlink_to_zero": Row(
        "the notebook is a file without end", "stub", 0,
        replaced(lambda p: p.path.symlink_to("/dev/zero"))),
    "symlink_to_itself": Row(
        "the notebook is a link to itself", "stub", 0,
        replaced(lambda p: p.path.symlink_to(p.path))),
    "symlink_beside": Row(
        "a link to the gradebook lies beside it", "reference", 6,
        lambda p: (p.folder / "data.csv").symlink_to(p.course / "gradebook.db")),
    "symlink_timestamp": Row(
        "timestamp.txt is a link to the secret", "reference", 6,
        lambda p: (p.folder / "timestamp.txt").symlink_to(p.course / ".autograder" / "secret")),
    "hard_link_to_secret": Row(
        "the notebook is the secret under another name", "stub", 0,
        replaced(lambda p: p.path.hardlink_to(p.course / ".autograder" / "secret"))),
    "hard_link_beside": Row(
        "the secret lies beside it under another name", "reference", 6,
        lambda p: (p.folder / "data.csv").hardlink_to(p.course / ".autograder" / "secret")),
    "pipe": Row(
        "the notebook is a pipe that nobody writes to", "stub", 0,
        replaced(lambda p: os.mkfifo(p.path))),
    "pipe_beside": Row(
        "a pipe lies beside it", "reference", 6, lambda p: os.mkfifo(p.folder / "timestamp.txt")),
    "socket_beside": Row("a socket lies beside it", "reference", 6, unix_socket),
    "folder_as_notebook": Row(
        "the notebook is a folder", "stub", 0, replaced(lambda p: p.path.mkdir())),
    "deep_folders": Row("sixty folders in one another", "reference", 6, nested_folders),
    # files that Python or nbgrader would pick up
    "numpy_beside": Row("a numpy.py of its own", "reference", 6, beside("numpy.py")),
    "sitecustomize_beside": Row(
        "a sitecustomize.py of its own", "reference", 6, beside("sitecustomize.py")),
    "package_beside": Row(
        "an autograder/ of its own", "stub", 0,
        beside("autograder/__init__.py", "class Checker:\n    __init__ = lambda *a: None\n")),
    "config_beside": Row(
        "an nbgrader_config.py of its own", "stub", 0,
        beside("nbgrader_config.py", "c.LatePolicy.method = 'zero'\n")),
    "page_beside": Row("a page with a script", "stub", 0, beside("01_tiny.html", SCRIPT)),
    "long_timestamp": Row(
        "a timestamp.txt of a megabyte", "reference", 6, beside("timestamp.txt", "1" * (1 << 20))),
    "forged_timestamp": Row(
        "a timestamp.txt from long ago", "reference", 6,
        beside("timestamp.txt", "1999-01-01 00:00:00 UTC")),
    "zip_slip_beside": Row(
        "a file whose name climbs out where it is unpacked", "reference", 6,
        beside("..\\..\\gradebook.db", "100 points")),
    # notebooks that are none, or too much of one
    "huge": Row("more than 50 MiB", "reference", 0, huge),
    "long_output": Row("45 MiB of output", "reference", 6, edited(long_output)),
    "many_cells": Row("200,000 cells", "stub", 0, bomb),
    "deep_notebook": Row(
        "lists nested 100,000 deep", "stub", 0,
        lambda p: p.path.write_text('{"cells":' + "[" * 100_000)),
    "empty": Row("no byte at all", "stub", 0, lambda p: p.path.write_bytes(b"")),
    "binary": Row("bytes that are no text", "stub", 0,
                  lambda p: p.path.write_bytes(b"\x00\xff\xfe" * 4000)),
    "invalid_utf8": Row(
        "bytes that are no UTF-8 in an honest notebook", "reference", 6,
        lambda p: p.path.write_bytes(p.path.read_bytes().replace(b"Two", b"T\xffo"))),
    "surrogates": Row(
        "half a character in an honest notebook", "reference", 6,
        edited(lambda p: p.notebook["cells"].append(
            {"cell_type": "code", "id": "x", "metadata": {}, "source": "'\ud800'"}))),
    "huge_numbers": Row(
        "numbers no machine holds", "reference", 6,
        lambda p: p.path.write_text(
            p.path.read_text().replace('"nbformat": 4', '"nbformat": 4, "x": 1e999999'))),
    # cells that claim to be something else
    "skip_execution": Row(
        "a tag that keeps check cells from running", "stub", 0, all_cells(tags=["skip-execution"])),
    "raises_exception": Row(
        "a tag that makes errors count as success", "stub", 0,
        all_cells(tags=["raises-exception", "nbgrader-ignore"])),
    "forged_points": Row("a thousand points a cell", "stub", 0, edited(forged_points)),
    "forged_outputs": Row("results and scripts as outputs", "stub", 0, edited(forged_outputs)),
    "copied_check": Row("check cells that pass", "stub", 0, edited(copied_check)),
    "duplicate_ids": Row("every cell twice", "reference", 6, edited(duplicated)),
    "cell_types": Row(
        "holes and checks become text", "reference", 6,
        edited(lambda p: [c.update(cell_type="markdown") for c in p.notebook["cells"]])),
    "evil_kernel": Row(
        "a kernel of its own", "reference", 6,
        edited(lambda p: p.notebook["metadata"].update(
            kernelspec={"name": "x; touch /tmp/autograder-pickle", "argv": ["/bin/sh"]}))),
    "terminal_codes": Row("codes and markup in all it says", "stub", 0, edited(printed_codes)),
    # names
    "formula_name": Row(
        "a student whose name is a formula", "reference", 6, lambda p: None,
        "=HYPERLINK(\"http:\",\"A1\")"),
    "formula_plus": Row(
        "a student whose name is a command", "reference", 6, lambda p: None, "@SUM(1+1)|cmd"),
    "comma_name": Row(
        "a name with commas, quotes and a new line", "reference", 6, lambda p: None, 'a,"b"\n,100'),
    "script_name": Row(
        "a student whose name is markup", "reference", 6, lambda p: None,
        "<img src=x onerror=alert(1)>"),
    "codes_name": Row("a name with terminal codes", "reference", 6, lambda p: None, CODES),
    "braces_name": Row(
        "a name that templates would fill", "reference", 6, lambda p: None, "{{7*7}}{student}%s"),
    "long_name": Row(
        "a name longer than the gradebook's", "reference", None, lambda p: None, "n" * 200),
    "bytes_name": Row(
        "a name that is no UTF-8", "reference", None, lambda p: None,
        os.fsdecode(b"\xff\xfe-student")),
}  # fmt: skip


def build(course: Path, write_notebook: Callable[..., Path], sources: dict[str, Any]) -> dict:
    """Hand in every row under ``course``; name -> the student's name it has there.

    ``write_notebook(path, sources)`` writes an honest notebook, ``sources`` has the solutions.
    """
    students = {}
    for name, row in FOLDERS.items():
        student = row.student or name
        path = course / "submitted" / student / "01_tiny" / NOTEBOOK
        write_notebook(path, sources[row.solution])
        row.do(Place(path.parent, course, json.loads(path.read_text(encoding="utf-8"))))
        students[name] = student
    return students
