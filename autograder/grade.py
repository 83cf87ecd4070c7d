"""From submissions to results to the gradebook.

Stage 1: every submission in its own sandbox, several at once; one record each, appended as it is
done; what is known already is not run again. Stage 2: one process writes nbgrader's gradebook from
the records. Owns: these two stages. Must not know: how a sandbox works, how nbgrader stores marks.
Read before: submission.py, checks.py, sandbox.py, results.py, scale.py, classroom.py.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
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


@dataclass(frozen=True)
class Task:
    """One student's notebook; a record with the key ``known`` need not be made again."""

    student: str
    path: Path
    known: str | None = None


@dataclass(frozen=True)
class Summary:
    """What a run of ``grade`` did: how many were graded, reused and lost, and everybody's marks."""

    assignment: str
    marks: tuple[Mark, ...]
    graded: int
    reused: int
    lost: tuple[str, ...]
    seconds: float
    sandbox: str


def grade(
    classroom: Classroom,
    assignment: Assignment,
    *,
    jobs: int | None = None,
    students: str = "*",
    force: bool = False,
    allow_unsandboxed: bool = False,
    limits: sandbox.Limits | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Summary:
    """Stage 1 for every submission of an assignment, and the marks that follow.

    ``progress(student, done, all)`` is called as each is finished. Ctrl-C keeps the finished ones.
    CourseError where there is nothing to grade; SandboxUnavailable where no sandbox holds.
    """
    started = time.monotonic()
    paths = classroom.submissions(assignment.id, students)
    if not paths:
        where = classroom.root / "submitted" / students / assignment.id
        raise CourseError(f"no submission in {where}")
    backend = ready(allow_unsandboxed)
    job = Job(
        assignment.root,
        assignment.id,
        classroom.secret(),
        backend,
        limits=limits or sandbox.Limits(),
    )
    known = classroom.results(assignment.id)
    tasks = [Task(s, p, None if force else known.key_of(s)) for s, p in paths.items()]
    graded, reused, lost = 0, 0, []
    seconds = job.limits.total_s + MARGIN_S
    n_jobs = jobs or scale.default_jobs()
    work = scale.imap(Grader(job), tasks, jobs=n_jobs, limit_s=seconds, fatal=(CourseError,))
    for n, done in enumerate(work, 1):
        student = done.item.student
        if done.lost:
            known.append(lost_record(assignment, student, job.backend, done.lost))
            lost.append(student)
        elif done.value is not None:
            known.append(done.value)
            graded += 1
        else:
            reused += 1
        if progress:
            progress(student, n, len(tasks))
    marks = tuple(score.mark(known.get(s)) for s in paths)
    spent = time.monotonic() - started
    return Summary(assignment.id, marks, graded, reused, tuple(lost), spent, job.backend)


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

    def __call__(self, task: Task) -> Record | None:
        job, started = self.job, time.monotonic()
        assignment = loaded(job.course, job.assignment)
        try:
            found = submission.read(task.path, assignment.handout)
        except SubmissionError as error:
            found = submission.Submission({}, (str(error),))
        key = results.key(
            submission=found.digest,
            notes="\n".join(found.notes),
            assignment=assignment.digest,
            secret=secret_id(job.secret),
            draws=str(job.draws),
            student=task.student,
            sandbox=job.backend,
            limits=repr(job.limits),
        )
        if key == task.known:
            return None
        seeds = Seeds.of(job.secret, assignment.id, task.student, job.draws)
        rows = judge(assignment, found.holes, seeds, self.walls, job.limits)
        notes = [*found.notes, *where_names_are(rows, found.elsewhere)]
        return {
            "key": key,
            "student": task.student,
            "assignment": assignment.id,
            "digest": found.digest,
            "sandbox": job.backend,
            "seconds": round(time.monotonic() - started, 3),
            "notes": notes,
            "results": [r.to_dict() for r in rows],
        }


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
    chosen = [c for c in assignment.checks if only is None or c.id in set(only)]
    notebook = f"{assignment.id}.ipynb"
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
        "notes": [f"not graded: {why}; look at this notebook by hand"],
        "results": [r.to_dict() for r in rows],
    }


@cache
def loaded(course: Path, name: str) -> Assignment:
    """An assignment, read once in a process."""
    return Assignment.load(course, name)


def where_names_are(rows: list[Result], elsewhere: dict[str, int]) -> list[str]:
    """A NameError for a name that another cell defines, explained."""
    said = "\n".join(r.message for r in rows if r.tag in ("error", "missing"))
    return [
        f"{name} is defined in cell {number}, which is no task's cell and is not run: "
        f"move it into the cell that uses it"
        for name, number in elsewhere.items()
        if f"name '{name}' is not defined" in said
    ]
