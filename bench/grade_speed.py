"""How long does a class take: `autograder grade` beside plain `nbgrader autograde`?

A class hands in assignment 1: reference and alternates in turn with wrong submissions, each student
a notebook of its own. Plain nbgrader grades a sample, one after the other, as it does, `autograder
grade` the same, then the whole class; then hostile ones come in and it grades these too (no hostile
notebook is given to nbgrader, which has no sandbox). All are started as a user starts them. Plain
nbgrader runs every notebook in a Jupyter kernel, where the check cells run the visible checks once,
on public inputs. `autograder grade` runs all checks, the hidden ones too, each on public and on
secret inputs, every submission in its own sandbox, and writes the gradebook. A hostile submission
may cost its time limits, whatever the grader does.

    python bench/grade_speed.py [--n 1000] [--sample 20] [--hostile 0.03] [--jobs J] [--csv FILE]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from autograder import catalog, handout, nbgrader_bridge
from autograder.catalog import Assignment, Solution
from autograder.classroom import Classroom

PLAIN = 'c = get_config()\nc.CourseDirectory.course_id = "plain"\n'
# A kernel counts on cores like any user's NumPy; both commands get the same environment.
ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
}


@dataclass(frozen=True)
class Run:
    """One command: what it graded, wall and CPU seconds, the most memory of its own process."""

    name: str
    n: int
    seconds: float
    cpu_s: float
    peak_mib: float


def main() -> None:
    options = parser().parse_args()
    assignment = catalog.find_course().assignment(options.assignment)
    n_hostile = round(options.n * options.hostile)
    n, sample = options.n - n_hostile, options.sample
    with tempfile.TemporaryDirectory(prefix="grade-speed-") as folder:
        ours, same, plain = roots = [Path(folder, name) for name in ("ours", "same", "plain")]
        plain.mkdir()
        (plain / "nbgrader_config.py").write_text(PLAIN)
        for root in roots:
            root.mkdir(exist_ok=True)
            run("", 0, ["autograder.cli", "init", "."], root)
            source = handout.source_notebook(assignment.handout, assignment.reference.sources)
            nbgrader_bridge.release(root, assignment.id, source)
        honest = itertools.islice(in_turn(assignment), n)
        hand_in([ours], "honest", honest, assignment)
        hand_in([same, plain], "honest", itertools.islice(in_turn(assignment), sample), assignment)
        jobs = ["--jobs", str(options.jobs)] if options.jobs else []
        grade = ["autograder.cli", "grade", assignment.id, "--dir", ".", *jobs]
        stock = run(f"nbgrader autograde, {sample}", sample,
                    ["nbgrader", "autograde", assignment.id], plain)  # fmt: skip
        rows = [
            stock,
            run(f"autograder grade, the same {sample}", sample, grade, same),
            run(f"autograder grade, {n}", n, grade, ours),
        ]
        hand_in([ours], "hostile", hostile(assignment, n_hostile), assignment)
        rows.append(run(f"{n_hostile} hostile come in", n_hostile, grade, ours))
        rows.append(both(f"together, {options.n}", *rows[-2:]))
        rows.append(run("again, nothing changed", options.n, grade, ours))
        show(rows, assignment)
        spent(ours, assignment)
    if options.csv:
        with options.csv.open("w", newline="") as file:
            table = csv.writer(file)
            table.writerow(Run.__dataclass_fields__)
            table.writerows([r.name, r.n, r.seconds, r.cpu_s, r.peak_mib] for r in rows)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--assignment", default="1")
    made.add_argument("--n", type=int, default=1000, help="submissions")
    made.add_argument("--sample", type=int, default=20, help="of them for plain nbgrader")
    made.add_argument("--hostile", type=float, default=0.03, help="share of hostile submissions")
    made.add_argument("--jobs", type=int, help="of autograder grade; its own choice by default")
    made.add_argument("--csv", type=Path, help="write the table there")
    return made


def in_turn(assignment: Assignment) -> Iterator[Solution]:
    """Right and wrong solutions in turn, for ever."""
    solutions = assignment.solutions()
    right = itertools.cycle(s for s in solutions if s.kind != "wrong")
    wrong = itertools.cycle(s for s in solutions if s.kind == "wrong")
    while True:
        yield next(right)
        yield next(wrong)


def hostile(assignment: Assignment, n: int) -> Iterator[Solution]:
    """n of the exploits, from all over the list, each in a notebook that is right otherwise."""
    exploits = assignment.exploits()
    for i in range(n):
        one = exploits[i * len(exploits) // n]
        yield replace(one, sources={**assignment.reference.sources, **one.sources})


def hand_in(roots: list[Path], name: str, solutions: Iterable[Solution], assignment) -> None:
    """Put a notebook for each solution into submitted/ of these folders."""
    released = roots[0] / "release" / assignment.id / f"{assignment.id}.ipynb"
    for i, solution in enumerate(solutions):
        sources = {h: f"{s.rstrip()}\n# number {i}\n" for h, s in solution.sources.items()}
        text = solved(released, sources)  # no cell is another student's to the letter
        for root in roots:
            put(root, f"{name}{i:05d}", assignment, text)


def put(root: Path, student: str, assignment: Assignment, text: str) -> None:
    path = root / "submitted" / student / assignment.id / f"{assignment.id}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")


@cache
def notebook(released: Path) -> str:
    return released.read_text(encoding="utf-8")


def solved(released: Path, sources: Mapping[str, str]) -> str:
    """The released notebook with sources in its holes, as a student would hand it in."""
    made = json.loads(notebook(released))
    for cell in made["cells"]:
        cell["source"] = sources.get(cell["id"], cell["source"])
    return json.dumps(made)


def run(name: str, n: int, command: list[str], folder: Path) -> Run:
    """``python -m command`` in a folder."""
    started, used = time.perf_counter(), cpu_s()
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=folder, env=ENVIRONMENT, stdout=said, stderr=said
        )
        peak = 0.0
        while process.poll() is None:
            peak = peak_mib(process.pid) or peak
            time.sleep(0.05)
        if process.returncode and name:  # some hostile notebook not graded would be 1
            said.seek(0)
            sys.exit(f"{' '.join(command)} failed:\n{said.read()[-5000:]}")
    return Run(name, n, time.perf_counter() - started, cpu_s() - used, peak)


def both(name: str, a: Run, b: Run) -> Run:
    """Two runs taken together."""
    peak = max(a.peak_mib, b.peak_mib)
    return Run(name, a.n + b.n, a.seconds + b.seconds, a.cpu_s + b.cpu_s, peak)


def cpu_s() -> float:
    """CPU seconds of the children that have ended, on a busy machine the fairer measure."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def peak_mib(pid: int) -> float:
    """The most memory a process has had; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0.0


def show(rows: list[Run], assignment: Assignment) -> None:
    """Seconds a submission, and how many times less than plain nbgrader's."""
    print(f"{assignment.id}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'':32}{'seconds':>9}{'each':>8}{'ratio':>7}{'CPU each':>10}{'ratio':>7}{'MiB':>6}")
    plain = rows[0]
    for r in rows:
        each, cpu = r.seconds / max(r.n, 1), r.cpu_s / max(r.n, 1)
        print(
            f"{r.name:32}{r.seconds:9.1f}{each:8.3f}{plain.seconds / plain.n / each:6.1f}x"
            f"{cpu:10.3f}{plain.cpu_s / plain.n / cpu:6.1f}x{r.peak_mib:6.0f}"
        )


def spent(root: Path, assignment: Assignment) -> None:
    """Where the graders' time went, and what marks were given."""
    records = list(Classroom(root).results(assignment.id))
    for name in ("honest", "hostile"):
        seconds = [r["seconds"] for r in records if r["student"].startswith(name)]
        if seconds:
            print(f"{name}: {len(seconds)} took {sum(seconds):.1f} s of all workers, "
                  f"at most {max(seconds):.1f} s")  # fmt: skip
    scores = list(nbgrader_bridge.scores(root, assignment.id).values())
    full = sum(s == assignment.max_points for s in scores)
    print(f"{len(scores)} marks in the gradebook, {full} full")


if __name__ == "__main__":
    main()
