"""Past one machine: what a submission costs, and a class of 100,000 on 1 to 500 Dask workers.

``--record`` measures on this machine, and keeps in course/instructors/scale.json, what a submission
costs: processor seconds of every solution of the bank through the real pipeline, seconds of some
hostile ones (they wait for their limits), bytes and system writes, the grader's own work for a
record and for handing an item to Dask, stage 2, memory (bench/grade_memory.py).

Without it the recorded numbers are used. Every start and end of a submission is an event: a worker
that is done waits in the queue of the one grader, which appends the record and hands out the next
item, one after the other; then the next begins. Processors are taken as one a worker and as fast
as the recorded one; drawing of durations is seeded. ``--write`` puts the tables into the page
course/instructors/scale.md, every number of which comes from here.

    python bench/grade_simulation.py [--record] [--write] [--n 100000] [--hostile 0.01]
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import pickle
import platform
import random
import re
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder import bookkeeper, catalog, grade, handout, nbgrader_bridge, sandbox, scale, worker
from autograder.catalog import Assignment, Solution
from autograder.checks import Seeds
from autograder.classroom import Classroom

PAGE = Path(__file__).resolve().parents[1] / "course" / "instructors" / "scale.md"
RECORDED = PAGE.with_suffix(".json")
WORKERS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
ROOM = 200  # students of the folder in which writing is measured
ITEMS = 400  # empty ones, handed to Dask
NETWORK_S = 0.001  # from grader to worker and back


def main() -> None:
    options = parser().parse_args()
    if options.record:
        assignment = catalog.find_course().assignment("1")
        RECORDED.write_text(json.dumps(record(assignment, options.memory), indent=1) + "\n")
    known = json.loads(RECORDED.read_text())
    blocks = tables(known, options.n, options.hostile)
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        for name, lines in blocks.items():
            text = filled(text, name, lines)
        PAGE.write_text(text, encoding="utf-8")
    for lines in blocks.values():
        print("\n".join(lines), end="\n\n")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    made.add_argument("--record", action="store_true", help="measure on this machine first")
    made.add_argument("--memory", type=int, nargs="*", default=[100, 1000, 10_000])
    made.add_argument("--write", action="store_true", help="into the instructors' page")
    made.add_argument("--n", type=int, default=100_000, help="submissions simulated")
    made.add_argument("--hostile", type=float, default=0.01, help="share of hostile ones")
    return made


# The simulation -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Class:
    """What n submissions on some workers came to."""

    n: int
    workers: int
    stage1_s: float
    busy: float  # share of the time that a worker graded
    grader: float  # share of the time that the one grader worked
    queue: int  # most records that waited for it at once
    stage2_s: float

    @property
    def per_s(self) -> float:
        """Submissions a second, stage 1."""
        return self.n / self.stage1_s


def simulated(known: dict[str, Any], n: int, workers: int, hostile: float) -> Class:
    """Stage 1 event by event, stage 2 as one writer's work."""
    chance = random.Random(f"{n} {hostile}")  # the same class whatever the workers
    honest = list(known["seconds"].values())
    durations = (
        chance.choice(known["hostile_s"] if chance.random() < hostile else honest) for _ in range(n)
    )
    service_s = known["append_s"] + known["dispatch_s"]
    free_at = queue = graded = 0.0  # when the grader is free; most that waited; worked seconds
    ends: list[float] = []  # of those in work

    def begin(now: float) -> None:
        nonlocal free_at, graded
        if (duration := next(durations, None)) is not None:
            free_at = max(now, free_at) + known["dispatch_s"]
            graded += duration
            heapq.heappush(ends, free_at + NETWORK_S + duration)

    for _ in range(min(workers, n)):
        begin(0.0)
    while ends:
        now = heapq.heappop(ends)
        free_at = max(now, free_at) + known["append_s"]
        queue = max(queue, (free_at - now) / service_s)
        begin(now)
    return Class(
        n,
        workers,
        free_at,
        graded / (free_at * workers),
        n * service_s / free_at,
        int(queue),
        n * known["stage2_s"],
    )


def tables(known: dict[str, Any], n: int, hostile: float) -> dict[str, list[str]]:
    """The page's blocks by name."""
    classes = [simulated(known, n, w, hostile) for w in WORKERS]
    return {"cost": cost(known), "memory": memory(known), "class": table(classes),
            "limits": limits(known, classes, hostile)}  # fmt: skip


def cost(known: dict[str, Any]) -> list[str]:
    honest, bad = sorted(known["seconds"].values()), sorted(known["hostile_s"])
    wait = statistics.fmean(bad)
    rows = [
        ("a right submission, processor seconds", f"{known['seconds']['reference']:.2f}"),
        (f"any of {len(honest)} right and wrong ones, mean", f"{statistics.fmean(honest):.2f}"),
        ("the dearest of them", f"{honest[-1]:.2f}"),
        (f"one of {len(bad)} hostile ones, seconds, mean and most", f"{wait:.1f}, {bad[-1]:.1f}"),
        ("a worker's start (Python, NumPy, sandbox), seconds", f"{known['start_s']:.1f}"),
        ("notebook read", kb(known["notebook_bytes"])),
        ("to Dask and back: item and record", kb(known["dask_bytes"])),
        ("into and out of the sandbox, calls and bytes",
         f"{known['calls']}, {kb(known['pipe_bytes'])}"),
        ("results file, one line", kb(known["record_bytes"])),
        ("append it, seconds", f"{known['append_s']:.4f}"),
        ("hand an item to Dask and take its record, seconds", f"{known['dispatch_s']:.4f}"),
        ("stage 2: rows in the gradebook, files", f"{known['rows']}, {known['files']}"),
        ("stage 2: autograded/", kb(known["autograded_bytes"])),
        ("stage 2, processor seconds", f"{known['stage2_s']:.4f}"),
    ]  # fmt: skip
    made = f"Measured on {known['machine']}, Python {known['python']}, load {known['load']:.0f}."
    return [made, "", "| per submission | |", "|---|---:|", *(f"| {a} | {b} |" for a, b in rows)]


def memory(known: dict[str, Any]) -> list[str]:
    rows = [
        f"| {int(n):,} | {m['stage 1']:.0f} | {m['stage 2']:.0f} |"
        for n, m in known["memory_mib"].items()
    ]
    return ["| submissions | stage 1, MiB | stage 2, MiB |", "|---:|---:|---:|", *rows]


def table(classes: list[Class]) -> list[str]:
    head = [
        "| workers | stage 1 | submissions/s | a worker grades | the grader works "
        "| waiting at most | stage 2 | together |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    return head + [
        f"| {c.workers} | {span(c.stage1_s)} | {c.per_s:.1f} | {c.busy:.0%} | {c.grader:.0%} "
        f"| {c.queue} | {span(c.stage2_s)} | {span(c.stage1_s + c.stage2_s)} |"
        for c in classes
    ]


def limits(known: dict[str, Any], classes: list[Class], hostile: float) -> list[str]:
    """Where it stops getting faster, in sentences."""
    service_s = known["append_s"] + known["dispatch_s"]
    mean = statistics.fmean(known["seconds"].values()) * (1 - hostile)
    mean += statistics.fmean(known["hostile_s"]) * hostile
    full = (mean + NETWORK_S) / service_s
    last = classes[-1]
    parts = {"appending": known["append_s"], "the scheduler": known["dispatch_s"]}
    what = max(parts, key=parts.get)
    even = next((c for c in classes if c.stage1_s < c.stage2_s), None)
    return [
        f"The class has {last.n:,} submissions, {hostile:.0%} of them hostile.",
        f"A submission keeps a worker {mean:.2f} s and the one grader {1000 * service_s:.1f} ms, "
        f"of which {what} is the larger part ({parts[what] / service_s:.0%}).",
        f"So the grader is full at {full:.0f} workers ({1 / service_s:.0f} submissions a second); "
        f"more of them only wait.",
        f"From {even.workers} workers on the one writer of stage 2 takes longer than stage 1."
        if even
        else "Stage 2 never takes longer than stage 1.",
    ]


def span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def kb(n: float) -> str:
    return f"{n / 1000:.1f} kB"


def filled(text: str, name: str, lines: list[str]) -> str:
    """The page with a block between its markers."""
    marks = f"<!-- {name} -->", f"<!-- end of {name} -->"
    block = "\n".join([marks[0], "", *lines, "", marks[1]])
    pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
    found, n = re.subn(pattern, lambda _: block, text, flags=re.S)
    if n != 1:
        raise SystemExit(f"{PAGE}: want {marks[0]} and {marks[1]} once")
    return found


# The measurement ----------------------------------------------------------------------------------


def record(assignment: Assignment, sizes: list[int]) -> dict[str, Any]:
    """All that the simulation and the page need, in seconds and bytes."""
    backend = sandbox.choose()
    secret = Seeds.of(b"s" * 32, assignment.id, "anybody")
    found: dict[str, Any] = {
        "machine": f"{processor()}, {os.cpu_count()} cores, {backend.title}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),  # of others too: seconds that are no processor's grow
    }
    started = used_s()
    with sandbox.Server(backend) as server:
        server.start()
    found["start_s"] = round(used_s() - started, 3)
    with sandbox.Server(backend) as server:
        cpu_of(assignment, assignment.reference, secret, server)  # what the first one pays is start
        found["seconds"] = {
            s.name: cpu_of(assignment, s, secret, server) for s in assignment.solutions()
        }
    exploits = assignment.exploits()[::5]
    found["hostile_s"] = [wall_of(assignment, s, secret, backend) for s in exploits]
    found |= of_pipes(assignment, secret, backend)
    found |= of_a_folder(assignment, secret, backend)
    found["dispatch_s"] = dispatch_s()
    from grade_memory import measure

    found["memory_mib"] = {n: measure(n) for n in sizes}
    return found


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "")


def used_s() -> float:
    """Processor seconds of this process and of those it has waited for."""
    both = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(u.ru_utime + u.ru_stime for u in both)


def cpu_of(
    assignment: Assignment, solution: Solution, seeds: Seeds, server: sandbox.Server
) -> float:
    """Processor seconds of grader and sandbox for a submission in a warm sandbox."""
    before = time.process_time() + ended_s(server)
    grade.judge(assignment, dict(solution.sources), seeds, server)
    return round(time.process_time() + ended_s(server) - before, 4)


def ended_s(server: sandbox.Server) -> float:
    """Processor seconds of the processes that a sandbox has seen end."""
    if not server.alive:
        return 0.0
    fields = Path(f"/proc/{server.pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def wall_of(assignment: Assignment, solution: Solution, seeds: Seeds, backend: Any) -> float:
    sources = {**assignment.reference.sources, **solution.sources}
    started = time.monotonic()
    grade.judge(assignment, sources, seeds, backend)
    return round(time.monotonic() - started, 2)


def of_pipes(assignment: Assignment, seeds: Seeds, backend: Any) -> dict[str, int]:
    """Calls into the sandbox and bytes both ways, of the reference."""
    moved = []
    exchange = worker.Worker.exchange

    def counted(self: worker.Worker, frame: bytes, total_s: float) -> Any:
        reply = exchange(self, frame, total_s)
        moved.append(len(frame) + reply.n_bytes)
        return reply

    worker.Worker.exchange = counted
    try:
        grade.judge(assignment, dict(assignment.reference.sources), seeds, backend)
    finally:
        worker.Worker.exchange = exchange
    return {"calls": len(moved), "pipe_bytes": sum(moved)}


@contextmanager
def a_room(assignment: Assignment) -> Iterator[Classroom]:
    with tempfile.TemporaryDirectory(prefix="grade-simulation-") as folder:
        room = Classroom(Path(folder))
        nbgrader_bridge.init(room.root)
        room.make_secret()
        source = handout.source_notebook(assignment.handout, assignment.reference.sources)
        nbgrader_bridge.release(room.root, assignment.id, source)
        yield room


def of_a_folder(assignment: Assignment, seeds: Seeds, backend: Any) -> dict[str, float]:
    """What is written for a submission, and how long that takes."""
    text = json.dumps(handout.fill(assignment.handout, assignment.reference.sources))
    with a_room(assignment) as room:
        path = room.submission(assignment.id, "s000")
        path.parent.mkdir(parents=True)
        path.write_text(text)
        job = grade.Job(assignment.root, assignment.id, room.secret(), backend.name)
        made = grade.Grader(job)(grade.Task("s000", path))
        known = room.results(assignment.id)
        appended = []
        for i in range(ROOM):
            student = f"s{i:03d}"
            path = room.submission(assignment.id, student)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            started = time.monotonic()
            known.append({**made, "student": student})
            appended.append(time.monotonic() - started)
        before, started = n_rows(room), used_s()
        bookkeeper.write(room.root, assignment.id, known, assignment.handout)
        files = [p for p in (room.root / "autograded").rglob("*") if p.is_file()]
        task = grade.Task("s000", path, made)
        return {
            "stage2_s": round((used_s() - started) / ROOM, 5),
            "append_s": round(statistics.fmean(appended), 5),
            "notebook_bytes": len(text),
            "record_bytes": len(json.dumps(made)),
            "dask_bytes": len(pickle.dumps(task)) + len(pickle.dumps(scale.Outcome(made))),
            "rows": round((n_rows(room) - before) / ROOM),
            "files": round(len(files) / ROOM),
            "autograded_bytes": round(sum(p.stat().st_size for p in files) / ROOM),
        }


def n_rows(room: Classroom) -> int:
    with closing(sqlite3.connect(room.root / "gradebook.db")) as db:
        tables = [t for (t,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sum(db.execute(f'SELECT count(*) FROM "{t}"').fetchone()[0] for t in tables)


def dispatch_s() -> float:
    """Processor seconds of grader and scheduler (here in one process) for an item of no work."""
    work = scale.imap(abs, range(ITEMS), jobs=2, limit_s=60, cluster=scale.LOCAL)
    with closing(work):
        next(work)
        started = time.process_time()
        n = sum(1 for _ in work)
        return round((time.process_time() - started) / n, 5)


if __name__ == "__main__":
    main()
