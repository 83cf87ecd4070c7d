"""How much memory does the grader take, whatever the size of the class?

A class of N hands in; stage 1 runs with workers that give a recorded result at once (what they do
inside has no part in the grader's own memory), then the marks are read and stage 2 writes the
gradebook. Each size in a fresh process, of which the kernel's own high-water mark is read.

    python bench/grade_memory.py [--n 100 1000 10000]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from autograder import bookkeeper, catalog, grade, handout, nbgrader_bridge, sandbox
from autograder.checks import Seeds
from autograder.classroom import Classroom


class Recorded(grade.Grader):
    """Gives the same results for everybody, those of the reference."""

    def __init__(self, job: grade.Job) -> None:
        super().__init__(job)
        assignment = grade.loaded(job.course, job.assignment)
        sources = dict(assignment.reference.sources)
        seeds = Seeds.of(job.secret, assignment.id, "anybody")
        rows = grade.judge(assignment, sources, seeds, grade.named(job.backend))
        self.rows = [{**r.to_dict(), "key": "0" * 64} for r in rows]

    def __call__(self, task: grade.Task) -> dict[str, Any]:
        return {
            "key": "0" * 64,
            "student": task.student,
            "assignment": self.job.assignment,
            "digest": "0" * 64,
            "sandbox": self.job.backend,
            "seconds": 0.1,
            "ran": len(self.rows),
            "notes": [],
            "results": self.rows,
        }


def measure(n: int) -> dict[str, float]:
    """MiB of a fresh process at its most: after stage 1, after all marks, after stage 2."""
    ran = subprocess.run(
        [sys.executable, __file__, "--one", str(n)], capture_output=True, text=True, check=True
    )
    return json.loads(ran.stdout.splitlines()[-1])


def one(n: int) -> dict[str, float]:
    """The same in this process."""
    from grade_memory import Recorded  # workers know it under this name

    assignment = catalog.find_course().assignment("1")
    found = {"imports": peak_mib()}
    with tempfile.TemporaryDirectory(prefix="grade-memory-") as folder:
        room = Classroom(Path(folder))
        make_class(room, assignment, n)
        grade.Grader = Recorded
        grade.ready = lambda _: sandbox.choose().name
        grade.grade(room, assignment, jobs=2)
        found["stage 1"] = peak_mib()
        for _ in grade.marks(room, assignment.id):
            pass
        found["marks"] = peak_mib()
        bookkeeper.write(room.root, assignment.id, room.results(assignment.id), assignment.handout)
        found["stage 2"] = peak_mib()
    return found


def make_class(room: Classroom, assignment: Any, n: int) -> None:
    """nbgrader makes its part in a process of its own, whose memory is not the grader's."""
    made = "import sys, grade_memory as m; m.release(sys.argv[1])"
    subprocess.run([sys.executable, "-c", made, str(room.root)], check=True,
                   cwd=Path(__file__).parent)  # fmt: skip
    room.make_secret()
    text = json.dumps(handout.fill(assignment.handout, assignment.reference.sources))
    for i in range(n):
        path = room.root / "submitted" / f"s{i:06d}" / assignment.id / f"{assignment.id}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(text)


def release(root: str) -> None:
    assignment = catalog.find_course().assignment("1")
    nbgrader_bridge.init(root)
    source = handout.source_notebook(assignment.handout, assignment.reference.sources)
    nbgrader_bridge.release(root, assignment.id, source)


def peak_mib() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--n", type=int, nargs="+", default=[100, 1000, 10_000])
    made.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.one:
        print(json.dumps(one(options.one)))
        return
    print(f"{'submissions':>12}{'imports':>9}{'stage 1':>9}{'marks':>9}{'stage 2':>9}  MiB at most")
    for n in options.n:
        print(f"{n:12}" + "".join(f"{mib:9.1f}" for mib in measure(n).values()), flush=True)


if __name__ == "__main__":
    main()
