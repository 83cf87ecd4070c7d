"""Is the gradebook the same when the grader is killed and started again?

A class is graded once undisturbed. Then, for each trial from the same beginning, the grader gets
SIGKILL at a random moment of its run and the same command is given again, until it ends; and once
on a local Dask cluster of which one worker gets SIGKILL. Compared are nbgrader's whole database
(rows by what they are about, since their keys are drawn anew), all of autograded/, and the latest
record of each submission but its seconds.

    python bench/grade_crash.py [--trials 20] [--n 12] [--seed S] [--assignment 1] [--course DIR]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from autograder import catalog, handout, lateness, nbgrader_bridge
from autograder.catalog import Assignment
from autograder.classroom import Classroom

ENVIRONMENT = {
    **os.environ,
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.defpath]),
}
ORPHANS_S = 20.0


def main() -> None:
    options = parser().parse_args()
    course = catalog.find_course(options.course)
    assignment = course.assignment(options.assignment)
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="grade-crash-") as folder:
        begun = make_class(Path(folder, "begun"), assignment, options.n)
        whole = copy(begun, Path(folder, "undisturbed"))
        seconds = run(command(whole, course.root, assignment))
        want = facts(whole, assignment)
        print(f"undisturbed: {options.n} submissions of {assignment.id} in {seconds:.1f} s")
        print(f"{'killed after':24}{'had done':>10}{'then ran':>10}  gradebook")
        bad = 0
        for i in range(options.trials):
            room = copy(begun, Path(folder, f"trial{i}"))
            after = chance.uniform(0, seconds)
            done, ran = killed_and_resumed(command(room, course.root, assignment), after, room)
            bad += report(f"{after:.2f} s", done, ran, differences(want, facts(room, assignment)))
            shutil.rmtree(room)
        room = copy(begun, Path(folder, "dask"))
        after = chance.uniform(0.3, 0.8)
        done, ran = worker_killed(
            command(room, course.root, assignment, "--cluster", "local"), after, room
        )
        bad += report(f"Dask worker at {after:.0%}", done, ran,
                      differences(want, facts(room, assignment)))  # fmt: skip
    print("identical each time" if not bad else f"{bad} DIFFER (seed {options.seed})")
    sys.exit(1 if bad else 0)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--trials", type=int, default=20)
    made.add_argument("--n", type=int, default=12, help="submissions")
    made.add_argument("--seed", type=int, default=0, help="of the moments")
    made.add_argument("--assignment", default="1")
    made.add_argument("--course", type=Path)
    return made


def make_class(root: Path, assignment: Assignment, n: int) -> Path:
    """A course folder in which n students handed in right and wrong solutions in turn."""
    nbgrader_bridge.init(root)
    Classroom(root).make_secret()
    source = handout.source_notebook(assignment.handout, assignment.reference.sources)
    nbgrader_bridge.release(root, assignment.id, source)
    solutions = assignment.solutions()
    for i in range(n):
        path = root / "submitted" / f"student{i:03d}" / assignment.id / f"{assignment.id}.ipynb"
        path.parent.mkdir(parents=True)
        filled = handout.fill(assignment.handout, solutions[i * 7 % len(solutions)].sources)
        path.write_text(json.dumps(filled), encoding="utf-8")
    # written down, for a copy of the folder has files that came at another time
    came = {p.name: datetime(2026, 1, 1) for p in (root / "submitted").iterdir()}
    lateness.write_times(root, assignment.id, came)
    return root


def copy(root: Path, to: Path) -> Path:
    shutil.copytree(root, to)
    return to


def command(root: Path, course: Path, assignment: Assignment, *more: str) -> list[str]:
    return [sys.executable, "-m", "autograder.cli", "grade", assignment.id,
            "--dir", str(root), "--course", str(course), "--jobs", "2", *more]  # fmt: skip


def start(argv: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        argv, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip


def run(argv: list[str]) -> float:
    """Seconds of a run to its end."""
    started = time.monotonic()
    ended(start(argv))
    return time.monotonic() - started


def ended(process: subprocess.Popen) -> None:
    said = process.communicate()[1]
    if process.returncode:
        sys.exit(f"{' '.join(process.args)} failed:\n{said[-3000:]}")


def killed_and_resumed(argv: list[str], after: float, room: Path) -> tuple[int, int]:
    """Kill the grader alone, wait until its workers are gone too, give the command again.

    -> records that were there when it was killed, records that the second run added.
    """
    process = start(argv)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(after)
    process.kill()
    process.communicate()
    wait_for(lambda: not alive(process.pid), "the killed grader's workers live on")
    done = n_records(room)
    ended(start(argv))
    return done, n_records(room) - done


def worker_killed(argv: list[str], share: float, room: Path) -> tuple[int, int]:
    """Kill one Dask worker when this share of the submissions is done."""
    n = len(list((room / "submitted").iterdir()))
    process = start(argv)
    wait_for(lambda: n_records(room) >= share * n, "the class is not graded")
    done = n_records(room)
    os.kill(next(dask_workers(process.pid)), signal.SIGKILL)
    ended(process)
    return done, n_records(room) - done


def dask_workers(pid: int) -> Iterator[int]:
    for thread in Path(f"/proc/{pid}/task").iterdir():  # Dask starts them from one of its own
        for child in (thread / "children").read_text().split():
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                yield int(child)


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition, words: str) -> None:
    until = time.monotonic() + ORPHANS_S + 600
    while not condition():
        if time.monotonic() > until:
            sys.exit(words)
        time.sleep(0.02)


def n_records(room: Path) -> int:
    """Lines that were finished; a rerun may have several of one submission."""
    return sum(
        path.read_bytes().count(b"\n") for path in (room / ".autograder").glob("results/*.jsonl")
    )


def facts(room: Path, assignment: Assignment) -> dict[str, list[str]]:
    """All that grading left behind, in an order and without what a rerun draws anew."""
    records = []
    for record in Classroom(room).results(assignment.id):
        rows = [{**r, "seconds": 0} for r in record["results"]]
        records.append(json.dumps({**record, "seconds": 0, "results": rows}, sort_keys=True))
    files = sorted(p for p in (room / "autograded").rglob("*") if p.is_file())
    return {
        "gradebook": gradebook(room / "gradebook.db"),
        "autograded": [f"{p.relative_to(room)} {p.read_text()}" for p in files],
        "records": records,
    }


def gradebook(path: Path) -> list[str]:
    """Each row of each table as text; a random key is replaced by what its row is about."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        names = [r[0] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {t: [dict(r) for r in db.execute(f'SELECT * FROM "{t}"')] for t in sorted(names)}
    about: dict[str, str] = {}
    for table in ("assignment", "notebook", "base_cell"):
        about |= {r["id"]: r["name"] for r in tables[table]}
    for r in tables["submitted_assignment"]:
        about[r["id"]] = f"{r['student_id']} of {about[r['assignment_id']]}"
    for r in tables["submitted_notebook"]:
        about[r["id"]] = f"notebook of {about[r['assignment_id']]}"
    for table in ("grade", "comment"):
        about |= {r["id"]: "" for r in tables[table]}
    return sorted(
        f"{table}: " + json.dumps({k: about.get(v, v) for k, v in row.items()}, default=str)
        for table, rows in tables.items()
        for row in rows
    )


def differences(want: dict[str, list[str]], got: dict[str, list[str]]) -> list[str]:
    """What differs, a line each."""
    return [
        f"{kind}: {line[:300]}"
        for kind in want
        for line in sorted(set(want[kind]) ^ set(got[kind]))
    ] + [f"{kind}: another number of rows" for kind in want if len(want[kind]) != len(got[kind])]


def report(moment: str, done: int, ran: int, different: list[str]) -> bool:
    print(f"{moment:24}{done:10}{ran:10}  {'DIFFERS' if different else 'identical'}", flush=True)
    for line in different[:10]:
        print(f"    {line}")
    return bool(different)


if __name__ == "__main__":
    main()
