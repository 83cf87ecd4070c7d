"""From submissions to results to the gradebook.

Stage 1: every submission in its own sandbox, several at once; one record each, appended as it is
done. What is known already is not run again, check by check. Stage 2: one process writes nbgrader's
gradebook from the records. No more submissions are in memory than are being graded; of all others
there is a name and a place in a file. Owns: these two stages. Must not know: how a sandbox works,
how nbgrader stores marks. Read before: submission.py, checks.py, sandbox.py, results.py, scale.py,
classroom.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Self

from autograder import checks, results, sandbox, scale, score, submission
from autograder.catalog import Assignment
from autograder.checks import Result, Seeds
from autograder.classroom import Classroom, secret_id
from autograder.errors import CourseError, SandboxUnavailable, SubmissionError
from autograder.hints import SHARED
from autograder.results import Record
from autograder.score import Mark

DRAWS = 3  # secret draws of each check
MARGIN_S = 60.0  # beyond a submission's own limit: a worker's start, reading, a sandbox's end


@dataclass(frozen=True)
class Job:
    """What all submissions of one run have in common; crosses to the workers."""

    course: Path
    assignment: str
    secret: bytes = field(repr=False)
    backend: str
    draws: int = DRAWS
    limits: sandbox.Limits = field(default_factory=sandbox.Limits)
    digest: str = ""  # of the assignment as the grader has it, where a worker may have another


@dataclass(frozen=True)
class Task:
    """One student's notebook, and the latest record of it: what holds of that is not run again."""

    student: str
    path: Path
    known: Record | None = None


@dataclass(frozen=True)
class Summary:
    """What a run of ``grade`` did: submissions graded, reused and lost, and checks that ran."""

    assignment: str
    n: int
    graded: int
    reused: int
    ran: int
    lost: tuple[str, ...]
    seconds: float
    sandbox: str


def grade(
    classroom: Classroom,
    assignment: Assignment,
    *,
    jobs: int | None = None,
    cluster: str | None = None,
    students: str = "*",
    force: bool = False,
    allow_unsandboxed: bool = False,
    limits: sandbox.Limits | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Summary:
    """Stage 1 for every submission of an assignment; ``marks`` says what follows from it.

    ``cluster`` is the address of a Dask scheduler, or "local". ``progress(student, done, all)`` is
    called as each is finished. Ctrl-C keeps the finished ones. CourseError where there is nothing
    to grade; SandboxUnavailable where no sandbox holds; ClusterUnavailable.
    """
    started = time.monotonic()
    names = classroom.students(assignment.id, students)
    if not names:
        raise CourseError(f"no submission in {classroom.root}/submitted/{students}/{assignment.id}")
    limits, jobs = limits or sandbox.Limits(), jobs or scale.default_jobs()
    limit_s, graded, reused, ran, lost = limits.total_s + MARGIN_S, 0, 0, 0, []
    with contextlib.closing(scale.Pool(jobs, limit_s)) as pool:
        if not cluster:  # they load what they need, and get nothing before the sandbox has held
            pool.begin(len(names), [__name__])
        job = Job(
            assignment.root.resolve(),
            assignment.id,
            classroom.secret(),
            ready(allow_unsandboxed),
            limits=limits,
            digest=assignment.digest if cluster else "",
        )
        known = classroom.results(assignment.id)
        folder = Classroom(classroom.root.resolve())  # a worker may stand in another folder
        read = (lambda _: None) if force else known.latest
        tasks = (Task(s, folder.submission(assignment.id, s), read(s)) for s in names)
        how = {"jobs": jobs, "limit_s": limit_s, "fatal": (CourseError,)}
        work = scale.imap(Grader(job), tasks, **how, cluster=cluster, pool=pool)
        with contextlib.closing(known), contextlib.closing(work):
            for n, done in enumerate(work, 1):
                student = done.item.student
                if done.lost:
                    lost.append(student)
                    known.append(lost_record(assignment, student, job.backend, done.lost))
                elif done.value is not None:
                    known.append(done.value)
                    graded, ran = graded + 1, ran + done.value["ran"]
                else:
                    reused += 1
                if progress:
                    progress(student, n, len(names))
    spent = time.monotonic() - started
    return Summary(assignment.id, len(names), graded, reused, ran, tuple(lost), spent, job.backend)


def marks(classroom: Classroom, assignment: str, students: str = "*") -> Iterator[Mark]:
    """The mark of everybody who handed in and was graded, by name, one at a time."""
    known = classroom.results(assignment)
    for student in classroom.students(assignment, students):
        if student in known:
            yield score.mark(known.get(student))


def ready(allow_unsandboxed: bool = False) -> str:
    """The name of the sandbox to use, after it has held against attacks on itself."""
    backend = sandbox.choose(allow_unsandboxed=allow_unsandboxed)
    if not backend.sandboxed:
        return backend.name
    through = sandbox.self_attack(backend)
    if through:
        raise SandboxUnavailable(
            f"the sandbox {backend.name} does not hold here ({', '.join(through)} got through); "
            "nothing was graded. `autograder doctor` says what else could be installed"
        )
    return backend.name


def named(name: str) -> sandbox.Backend:
    """The kind of sandbox with this name."""
    for backend in sandbox.backends():
        if backend.name == name:
            return backend
    raise SandboxUnavailable(f"there is no sandbox {name!r}")


class Warm:
    """Holds one sandbox ready between submissions while entered; each has its own process in it."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._server: sandbox.Server | None = None

    def __enter__(self) -> Self:
        self._server = sandbox.Server(named(self._backend))
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._server = None

    @property
    def walls(self) -> sandbox.Backend | sandbox.Server:
        """The sandbox that is ready, or the kind of which to make one."""
        return self._server or named(self._backend)


class Grader(Warm):
    """``grader(task)`` -> a record, or None where ``task.known`` says it is known already."""

    def __init__(self, job: Job) -> None:
        super().__init__(job.backend)
        self.job = job

    def __enter__(self) -> Self:
        if self.job.digest:
            fit(self.job)
        return super().__enter__()

    def __call__(self, task: Task) -> Record | None:
        job, started = self.job, time.monotonic()
        assignment = loaded(job.course, job.assignment)
        if not os.path.lexists(task.path.parent):  # its student would get nothing for it
            raise CourseError(f"{platform.node()} does not see {task.path.parent}")
        try:
            found = submission.read(task.path, assignment.handout)
        except SubmissionError as error:
            found = submission.Submission({}, (str(error),))
        before = task.known or {"key": "", "results": []}
        keys = keys_of(job, assignment, task.student, found.digest)
        key = results.key(
            results=" ".join(keys.values()),
            notes="\n".join(found.notes),
            elsewhere=json.dumps(found.elsewhere, sort_keys=True),
            **answers_key(assignment, found),
        )
        if key == before["key"]:
            return None
        held = {r["check"]: r for r in before["results"] if r.get("key") == keys.get(r["check"])}
        stale = [c.id for c in assignment.checks if c.id not in held]
        seeds = Seeds.of(job.secret, assignment.id, task.student, job.draws)
        fresh = judge(assignment, found.holes, seeds, self.walls, job.limits, only=stale)
        spent = time.monotonic() - started + sum(r["seconds"] for r in held.values())
        held |= {r.check: r.to_dict() | {"key": keys[r.check]} for r in fresh}
        rows = [held[c.id] for c in assignment.checks]
        return {
            "key": key,
            "student": task.student,
            "assignment": assignment.id,
            "digest": found.digest,
            "sandbox": job.backend,
            "seconds": round(spent, 3),
            "ran": len(stale),
            "notes": [*found.notes, *where_names_are(rows, found.elsewhere)],
            "results": rows,
            **by_hand(assignment),
        }


def by_hand(assignment: Assignment) -> dict[str, dict[str, float]]:
    """What a record says of the points that a human gives; nothing where none does."""
    most = assignment.handout.by_hand
    return {"by_hand": most} if most else {}


def answers_key(assignment: Assignment, found: submission.Submission) -> dict[str, str]:
    """What a record depends on besides checks, where a human reads answers."""
    if not assignment.handout.answers:
        return {}
    return {"answers": json.dumps([dict(found.answers), assignment.handout.by_hand])}


def fit(job: Job) -> None:
    """CourseError where this machine of a cluster would not grade as the others do."""
    here = platform.node()
    if loaded(job.course, job.assignment).digest != job.digest:
        raise CourseError(
            f"{here} has another version of {job.assignment} or of the grader: install the same "
            "on every machine"
        )
    backend = named(job.backend)
    why = sandbox.probe(backend)
    through = sandbox.self_attack(backend) if backend.sandboxed and not why else []
    if why or through:
        raise CourseError(
            f"{here}: the sandbox {job.backend} {why or f'lets {through[0]} through'}; "
            "nothing more was graded"
        )


def keys_of(job: Job, assignment: Assignment, student: str, digest: str) -> dict[str, str]:
    """Check -> the hash of all that its result depends on.

    The submission counts whole: its holes share a namespace, and one may change what another sees.
    """
    parts = {
        "submission": digest,
        "secret": secret_id(job.secret),
        "draws": str(job.draws),
        "student": student,
        "sandbox": job.backend,
        "limits": repr(job.limits),
    }
    return {c.id: results.key(check=assignment.digests[c.id], **parts) for c in assignment.checks}


def judge(
    assignment: Assignment,
    sources: dict[str, str],
    seeds: Seeds,
    backend: sandbox.Backend | sandbox.Server,
    limits: sandbox.Limits | None = None,
    *,
    reveal: bool = False,
    only: Iterable[str] | None = None,
) -> list[Result]:
    """Run the checks (all, or ``only`` these) of an assignment on the sources of its holes.

    A hole that is not there fails its checks as missing, and no sandbox is started where none is.
    """
    wanted = None if only is None else set(only)
    chosen = [c for c in assignment.checks if wanted is None or c.id in wanted]
    notebook = f"{assignment.id}.ipynb"
    if not chosen:
        return []
    if not sources:
        return [missing(c, "the submission has no cell for this task") for c in chosen]
    with sandbox.Student(sources, limits=limits or sandbox.Limits(), backend=backend) as student:
        return checks.run(
            chosen, student, seeds, hints=assignment.hints, reveal=reveal, notebook=notebook
        )


def missing(check: checks.Check, message: str, status: str = "missing") -> Result:
    """The result of a check that could not be run."""
    return Result(
        check=check.id,
        hole=check.hole,
        title=check.title,
        points=0.0,
        max_points=check.points,
        status=status,
        tag=status,
        message=message,
        hint=SHARED[status].idea,
        visibility=check.visibility,
        seconds=0.0,
    )


def lost_record(assignment: Assignment, student: str, backend: str, why: str) -> Record:
    """The record of a submission given up twice; its empty key lets a rerun try again."""
    rows = [missing(c, why, "killed") for c in assignment.checks]
    return {
        "key": "",
        "student": student,
        "assignment": assignment.id,
        "digest": "",
        "sandbox": backend,
        "seconds": 0.0,
        "ran": 0,
        "notes": [f"not graded: {why}; look at this notebook by hand"],
        "results": [r.to_dict() for r in rows],
        **by_hand(assignment),
    }


@cache
def loaded(course: Path, name: str) -> Assignment:
    """An assignment, read once in a process."""
    return Assignment.load(course, name)


def where_names_are(rows: Iterable[Mapping], elsewhere: Mapping[str, int]) -> list[str]:
    """A NameError for a name that another cell defines, explained; ``rows`` as in a record."""
    said = "\n".join(r["message"] for r in rows if r["tag"] in ("error", "missing"))
    return [
        f"{name} is defined in cell {number}, which is no task's cell and is not run: "
        f"move it into the cell that uses it"
        for name, number in elsewhere.items()
        if f"name '{name}' is not defined" in said
    ]
