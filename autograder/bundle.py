"""What a student gets: one zip per assignment, complete on a machine without network.

    ID/README.md AGENTS.md ID.ipynb data/       ID/course/ ID/assignments/ID/   the public checks
    ID/wheel/*.whl                              what to install, where it is packed too

``autograder check`` and the notebook find the checks in the folder they stand in, so what is in the
zip counts and not what an older wheel carries. Owns: this layout, its texts. Must not know:
secrets, sandboxes, marks; a solution never gets in (leaks.py). Read before: catalog.py, packing.py.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from autograder import handout, leaks, notebooks, packing, pages
from autograder.catalog import Assignment, Course
from autograder.errors import CourseError
from autograder.packing import Packed

TEXTS = {"README.md": "bundle_README.md.txt", "AGENTS.md": "bundle_AGENTS.md.txt"}
SOURCES = (".py", ".pyx", ".pxd")
WITHOUT_WHEEL = (
    "Install the students' wheel of the course (`minengine-...whl`, your instructor has it) and "
    "JupyterLab:"
)
WITH_WHEEL = "The folder `wheel/` has what the course needs; install it and JupyterLab:"
PLATFORM = (
    "A wheel is made for one system and one Python, which its name says; this is what the names "
    "here are for:"
)


def write_zip(
    path: Path, course: Course, assignment: Assignment, wheels: Sequence[Path] = ()
) -> list[str]:
    """Write the zip of an assignment; the names in it. The same input gives the same bytes.

    ``wheels`` are students' wheels to pack with it. CourseError for a wheel that is none, or that
    has sources which the syllabus keeps closed, and where a line of the reference would get in.
    """
    files = list(_files(course, assignment, wheels))
    if (assignment.folder / "reference.py").is_file():
        leaks.refuse(((f.name, f.data) for f in files), assignment.reference.sources)
    return packing.write(path, files)


def _files(course: Course, assignment: Assignment, wheels: Sequence[Path]) -> Iterator[Packed]:
    top = assignment.id
    packed = [_wheel(path, course) for path in sorted(wheels)]
    for name, template in TEXTS.items():
        yield Packed(f"{top}/{name}", _text(template, course, assignment, packed).encode())
    notebook = notebooks.text(handout.student_notebook(assignment.handout))
    yield Packed(f"{top}/{top}.ipynb", notebook.encode())
    for name, file in packing.below(assignment.parts, assignment.parts / "data"):
        yield Packed(f"{top}/{name}", file.read_bytes())
    for name, file in assignment.files():
        yield Packed(f"{top}/{name}", file.read_bytes())
    for name, data in packed:
        yield Packed(f"{top}/wheel/{name}", data)


def _wheel(path: Path, course: Course) -> tuple[str, bytes]:
    """Name and bytes of a students' wheel."""
    try:
        data = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise CourseError(f"{path}: no wheel: {error}") from None
    for symbol in course.closed():
        module = symbol.rpartition(".")[0].replace(".", "/")
        opened = sorted(names & {module + suffix for suffix in SOURCES})
        if opened:
            raise CourseError(
                f"{path.name} has {opened[0]}, whose text students do not get: `make student-wheel`"
                " writes theirs into dist/student/"
            )
    return path.name, data


def _text(template: str, course: Course, assignment: Assignment, wheels: list) -> str:
    """A text of ours for this assignment."""
    names = [name for name, _ in wheels]
    shown = names[0] if len(names) == 1 else "NAME.whl" if names else "minengine-NAME.whl"
    install = WITH_WHEEL if names else WITHOUT_WHEEL
    if len(names) > 1:
        install += "\n" + "\n".join([PLATFORM, "", *(f"- `{name}`" for name in names)])
    values = {
        "COURSE": course.title,
        "TITLE": assignment.handout.title,
        "ID": assignment.id,
        "POINTS": f"{assignment.max_points:g}",
        "N_TASKS": str(len(assignment.handout.holes)),
        "FIRST": assignment.handout.holes[0],
        "INSTALL": install,
        "WHEEL": f"wheel/{shown}" if names else f"PATH/TO/{shown}",
        "DATA": "| `data/` | what the notebook reads |\n" if _has_data(assignment) else "",
        "WHEELS": "| `wheel/` | what to install |\n" if names else "",
    }
    text = (pages.TEMPLATES / template).read_text(encoding="utf-8")
    for row in ("DATA", "WHEELS"):  # rows of a table: nothing, or a line of their own
        text = text.replace(f"@{row}@\n", values.pop(row))
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)


def _has_data(assignment: Assignment) -> bool:
    return (assignment.parts / "data").is_dir()
