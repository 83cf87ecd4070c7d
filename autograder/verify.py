"""Grading the graders: known-right and known-wrong submissions through the real pipeline.

(a) a wrong file fails exactly the checks it names, each with the tag it names; (b) the reference
and at least three alternates pass everything, on many seeds; (c) the stub gets nothing; every check
is failed by some wrong file and every tag used has its hint. Owns: these conditions and the kill
matrix. Must not know: how results are shown. Read before: catalog.py, grade.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from autograder import grade, sandbox, scale
from autograder.catalog import Assignment, Solution
from autograder.checks import Result, Seeds

SEEDS = 100
ALTERNATES = 3
SECRET = b"the seed of verify, no secret"
DRAWS = 3
LIMITS = sandbox.Limits(total_s=900.0, cpu_s=900)  # a hundred seeds on a busy machine


@dataclass(frozen=True)
class Row:
    """One solution: the tag each check gave ("" where it passed), points, and what is wrong."""

    name: str
    kind: str
    tags: Mapping[str, str]
    points: float
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Matrix:
    """The kill matrix of one assignment, with what is off about rows and about checks."""

    assignment: str
    checks: tuple[str, ...]
    rows: tuple[Row, ...]
    problems: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        return not self.problems and not any(r.problems for r in self.rows)


class Trial(grade.Warm):
    """``trial((kind, name))`` runs one solution; crosses to the workers."""

    def __init__(self, course: Path, assignment: str, backend: str, seeds: int = SEEDS) -> None:
        super().__init__(backend)
        self.course, self.assignment, self.seeds = course, assignment, seeds

    @cached_property
    def bank(self) -> dict[tuple[str, str], Solution]:
        """Everything to be tried, read once in a process."""
        assignment = grade.loaded(self.course, self.assignment)
        return {(s.kind, s.name): s for s in everything(assignment)}

    def __call__(self, item: tuple[str, str]) -> Row:
        assignment = grade.loaded(self.course, self.assignment)
        solution = self.bank[item]
        wanted = solution.kind in ("reference", "alternate")
        public = tuple(range(self.seeds)) if wanted else (0,)
        secret = Seeds.of(SECRET, assignment.id, solution.name, DRAWS)
        rows = grade.judge(
            assignment,
            dict(solution.sources),
            replace(secret, public=public),
            self.walls,
            LIMITS,
            reveal=True,
        )
        tags = {r.check: "" if r.passed else r.tag for r in rows}
        points = sum(r.points for r in rows)
        return Row(solution.name, solution.kind, tags, points, tuple(problems(solution, rows)))


def everything(assignment: Assignment) -> list[Solution]:
    """All solutions and the stub."""
    return [*assignment.solutions(), assignment.stub()]


def verify(
    assignment: Assignment,
    backend: str,
    *,
    seeds: int = SEEDS,
    jobs: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Matrix:
    """Run every solution of an assignment and judge the checks by what they said."""
    solutions = everything(assignment)
    trial = Trial(assignment.root, assignment.id, backend, seeds)
    rows: dict[int, Row] = {}
    work = scale.imap(
        trial,
        [(s.kind, s.name) for s in solutions],
        jobs=jobs or scale.default_jobs(),
        limit_s=LIMITS.total_s + grade.MARGIN_S,
    )
    for n, done in enumerate(work, 1):
        lost = Row(done.item[1], done.item[0], {}, 0.0, (done.lost,))
        rows[done.n] = done.value or lost
        if progress:
            progress(done.item[1], n, len(solutions))
    found = tuple(rows[n] for n in sorted(rows))
    names = tuple(c.id for c in assignment.checks)
    return Matrix(assignment.id, names, found, tuple(_of_the_bank(assignment, found)))


def problems(solution: Solution, rows: list[Result]) -> list[str]:
    """What is off about one solution's results."""
    failed = {r.check: r for r in rows if not r.passed}
    if solution.kind == "stub":
        return [f"{r.check}: the stub passes" for r in rows if r.passed]
    found = []
    if solution.kind == "wrong" and not solution.fails:
        found.append("it names no check that it fails (FAILS)")
    if solution.kind == "wrong" and not solution.idea:
        found.append("its docstring does not say the idea")
    for check, tag in solution.fails.items():
        if check not in {r.check for r in rows}:
            found.append(f"{check}: there is no such check")
        elif check not in failed:
            found.append(f"{check}: passes, want {tag}")
        elif failed[check].tag != tag:
            found.append(f"{check}: tag {failed[check].tag}, want {tag}: {_first(failed[check])}")
    found += [
        f"{check}: fails with {r.tag}, want a pass: {_first(r)}"
        for check, r in failed.items()
        if check not in solution.fails
    ]
    return found


def _first(result: Result) -> str:
    return result.message.splitlines()[0][:200] if result.message else ""


def _of_the_bank(assignment: Assignment, rows: tuple[Row, ...]) -> list[str]:
    """What is off about the checks and the bank as a whole."""
    wrong = [r for r in rows if r.kind == "wrong"]
    found = [
        f"{check.id}: no wrong submission fails it"
        for check in assignment.checks
        if not any(r.tags.get(check.id) for r in wrong)
    ]
    used = {tag for r in rows for tag in r.tags.values() if tag}
    found += [f"tag {tag}: not in hints.yaml" for tag in sorted(used - set(assignment.hints))]
    n = sum(r.kind == "alternate" for r in rows)
    if n < ALTERNATES:
        found.append(f"{n} alternates, want at least {ALTERNATES}")
    return found
