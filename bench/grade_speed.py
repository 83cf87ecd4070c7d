"""How long does a class take: `autograder grade` beside plain `nbgrader autograde`?

N identical notebooks (the reference filled in) are graded by both commands, each started as a user
starts it, one after the other. Plain nbgrader has its stock configuration: it runs every notebook
in a Jupyter kernel, where the check cells run the visible checks once, on public inputs.
`autograder grade` runs all checks, the hidden ones too, each on public and on secret inputs, every
submission in its own sandbox, and writes the gradebook.

    python bench/grade_speed.py [--n 20] [--jobs J] [--csv FILE]
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from autograder import catalog, handout, nbgrader_bridge
from autograder.catalog import Assignment

PLAIN = 'c = get_config()\nc.CourseDirectory.course_id = "plain"\n'
# A kernel counts on cores like any user's NumPy; both commands get the same environment.
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
}


def main() -> None:
    options = parser().parse_args()
    assignment = catalog.find_course().assignment(options.assignment)
    with tempfile.TemporaryDirectory(prefix="grade-speed-") as folder:
        ours, plain = Path(folder, "ours"), Path(folder, "plain")
        plain.mkdir()
        (plain / "nbgrader_config.py").write_text(PLAIN)
        for root in (ours, plain):
            run(["autograder.cli", "init", "."], make(root))
            hand_in(root, assignment, options.n)
        jobs = ["--jobs", str(options.jobs)] if options.jobs else []
        grade = ["autograder.cli", "grade", assignment.id, "--dir", ".", *jobs]
        first = run(grade, ours)
        second = run(grade, ours)
        stock = run(["nbgrader", "autograde", assignment.id], plain)
        marks = [marks_of(root, assignment) for root in (ours, plain)]
    rows = [
        ("nbgrader autograde, stock", *stock, marks[1]),
        ("autograder grade", *first, marks[0]),
        ("autograder grade, nothing changed", *second, marks[0]),
    ]
    show(rows, options.n, assignment)
    if options.csv:
        with options.csv.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(["command", "n", "seconds", "cpu_seconds"])
            table.writerows([r[0], options.n, round(r[1], 3), round(r[2], 3)] for r in rows)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--assignment", default="1")
    made.add_argument("--n", type=int, default=20, help="submissions")
    made.add_argument("--jobs", type=int, help="of autograder grade; its own choice by default")
    made.add_argument("--csv", type=Path, help="write the table there")
    return made


def make(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def hand_in(root: Path, assignment: Assignment, n: int) -> None:
    """Release the assignment and put the solved notebook of n students into submitted/."""
    source = handout.source_notebook(assignment.handout, assignment.reference.sources)
    released = nbgrader_bridge.release(root, assignment.id, source)
    text = solved(released, assignment)
    for i in range(n):
        path = root / "submitted" / f"student{i:02d}" / assignment.id / f"{assignment.id}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")


def solved(released: Path, assignment: Assignment) -> str:
    """The released notebook with the reference in its holes, as a student would hand it in."""
    import nbformat

    notebook = nbformat.read(released, as_version=4)
    for cell in notebook.cells:
        cell.source = assignment.reference.sources.get(cell.id, cell.source)
    return nbformat.writes(notebook)


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """(seconds, CPU seconds of all its processes) of ``python -m command`` in a folder."""
    started, used = time.perf_counter(), cpu_s()
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    spent = time.perf_counter() - started, cpu_s() - used
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return spent


def cpu_s() -> float:
    """CPU seconds of the children that have ended, on a busy machine the fairer measure."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def marks_of(root: Path, assignment: Assignment) -> str:
    """``20 x 40/40`` as the gradebook has it."""
    scores = nbgrader_bridge.scores(root, assignment.id).values()
    return ", ".join(
        f"{list(scores).count(s)} x {s:g}/{assignment.max_points:g}" for s in sorted(set(scores))
    )


def show(rows: list[tuple[str, float, float, str]], n: int, assignment: Assignment) -> None:
    print(f"{n} identical submissions of {assignment.id}, {os.cpu_count()} cores")
    print(f"{'':34}{'seconds':>9}{'faster':>8}{'CPU s':>9}{'less':>8}  marks")
    wall, cpu = rows[0][1:3]
    for name, seconds, used, marks in rows:
        print(
            f"{name:34}{seconds:9.1f}{wall / seconds:7.1f}x{used:9.1f}{cpu / used:7.1f}x  {marks}"
        )


if __name__ == "__main__":
    main()
