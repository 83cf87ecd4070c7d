"""The instructor's worked notebook: the handout with the reference in its holes, run.

Owns: that notebook, where it may be written, the kernel it runs in (nbclient's; the code is the
course's own). Must not know: submissions, sandboxes, secrets. Read before: handout.py, catalog.py.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from autograder import handout, pages
from autograder.catalog import Assignment
from autograder.errors import CourseError
from autograder.notebooks import NotebookNode, from_dict, writes

# of a course folder, of nbgrader's exchange, of what a wheel or a bundle is made from
READ_BY_STUDENTS = ("release", "submitted", "feedback", "exchange", "outbound", "inbound")
CELL_S = 300
WARNING = (
    "**Instructor's copy: the solutions are in it.**\n"
    "Made by `autograder solutions`; students' notebooks are made by `autograder release`."
)


@dataclass(frozen=True)
class Worked:
    """What was written: checks that failed when it ran (none, if all is well), seconds it took."""

    path: Path
    executed: bool
    failed: tuple[str, ...]
    seconds: float


def write(assignment: Assignment, path: Path, execute: bool = True) -> Worked:
    """Write the worked notebook, readable by its owner alone; run first unless told not to.

    CourseError for a place where students read, without solutions, or without nbclient.
    """
    target = refuse(path, assignment)
    notebook = handout.fill(assignment.handout, assignment.reference.sources)
    note = {"cell_type": "markdown", "id": "instructors_copy", "metadata": {}, "source": WARNING}
    notebook.cells.insert(0, from_dict(note))
    started = time.monotonic()
    failed = run(notebook, assignment) if execute else ()
    pages.write(target, writes(notebook) + "\n", 0o600)
    return Worked(target, execute, failed, round(time.monotonic() - started, 3))


def refuse(path: Path, assignment: Assignment) -> Path:
    """``path`` with links followed; CourseError where students would find what is written there."""
    target = path.expanduser().resolve()
    given = (assignment.root / "assignments").resolve()
    public = [part for part in target.parts[:-1] if part in READ_BY_STUDENTS]
    if public or given in target.parents:
        where = f"{public[0]}/" if public else f"{given}, which wheels and bundles are made from"
        raise CourseError(f"{target}: students read {where}; write the solutions somewhere else")
    if target.is_dir() or not target.parent.is_dir():
        raise CourseError(f"{target}: want the name of a file in a folder that is there")
    if target.name == f"{assignment.id}.ipynb":
        raise CourseError(
            f"{target.name} is what a student's notebook is called: name it {default(assignment)}"
        )
    return target


def default(assignment: Assignment) -> Path:
    """Its name where none is given, in the working folder."""
    return Path(f"{assignment.id}.solutions.ipynb")


def run(notebook: NotebookNode, assignment: Assignment) -> tuple[str, ...]:
    """Run every cell in a kernel of this Python; the names of the checks that failed."""
    try:
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    except ImportError as error:
        raise CourseError(
            f"{error.name} is missing: pip install 'minengine[grading]', or --no-execute"
        ) from None
    # where data/ stands beside it, as it does for students, and the course is around it
    where = {"metadata": {"path": str(assignment.root / "assignments" / assignment.id)}}
    client = NotebookClient(
        notebook, timeout=CELL_S, kernel_name="python3", resources=where, allow_errors=True
    )
    client.create_kernel_manager()
    with tempfile.TemporaryDirectory(prefix="kernel-") as folder:
        # sockets that are files of ours: a port could be talked to by others on this machine
        client.km.transport, client.km.ip = "ipc", f"{folder}/k"
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise CourseError(f"{assignment.id}: the notebook does not run: {error}") from None
    return tuple(cell.id for cell in notebook.cells if _raised(cell))


def _raised(cell: NotebookNode) -> bool:
    return any(output.output_type == "error" for output in cell.get("outputs", ()))
