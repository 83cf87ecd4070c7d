"""Grading the graders: known-right and known-wrong submissions through the real pipeline.

(a) a wrong file fails exactly the checks it names, each with the tag it names; (b) the reference
and at least three alternates pass everything, on many seeds; (c) the stub gets nothing; (d) an
exploit gets no more than its honest marks, and an honest submission after it in the same sandbox
all of its own. Every check is failed by some wrong file, every tag used has its hint. Owns: these
conditions and the kill matrix. Must not know: how results are shown. What an exploit leaves behind
outside the sandbox is looked for in the tests. Read before: catalog.py, grade.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
LEAST_S, SEED_S = 900, 30  # what a solution may take: so much, or that for each draw if it is more
HOSTILE = sandbox.Limits(call_s=0.5, total_s=4.0, cpu_s=6, memory_bytes=192 << 20)


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


def limits(seeds: int) -> sandbox.Limits:
    """What a right or wrong solution may take on so many draws, on a busy machine."""
    total_s = max(LEAST_S, SEED_S * seeds)
    return sandbox.Limits(total_s=float(total_s), cpu_s=total_s)


class Trial(grade.Warm):
    """``trial((kind, name))`` runs one solution; crosses to the workers."""

    def __init__(
        self, course: Path, assignment: str, backend: str, seeds: int = SEEDS, draws: int = DRAWS
    ) -> None:
        super().__init__(backend)
        self.course, self.assignment, self.seeds, self.draws = course, assignment, seeds, draws

    @cached_property
    def bank(self) -> dict[tuple[str, str], Solution]:
        """Everything to be tried, read once in a process."""
        return {(s.kind, s.name): s for s in everything(self.loaded)}

    def __call__(self, item: tuple[str, str]) -> Row:
        solution = self.bank[item]
        if solution.kind == "exploit":
            return self._exploit(solution)
        wanted = solution.kind in ("reference", "alternate")
        rows = self._judge(solution, range(self.seeds) if wanted else [0], limits(self.seeds))
        return _row(solution, rows, problems(solution, rows))

    def _exploit(self, solution: Solution) -> Row:
        """It, and after it the reference in the same sandbox, on the checks of its hole."""
        only = [c.id for c in self.loaded.checks if c.hole in solution.own]
        rows = self._judge(solution, [0], HOSTILE, only)
        points = sum(r.points for r in rows)
        found = []
        if points > solution.honest:
            passed = ", ".join(r.check for r in rows if r.passed)
            found.append(f"{points:g} points, honest are {solution.honest:g}: {passed}")
        after = self._judge(self.bank["reference", "reference"], [0], limits(1), only)
        found += [
            f"{r.check}: the reference after it fails: {r.tag}" for r in after if not r.passed
        ]
        return _row(solution, rows, found)

    def _judge(
        self,
        solution: Solution,
        public: Iterable[int],
        limits: sandbox.Limits,
        only: list[str] | None = None,
    ) -> list[Result]:
        secret = Seeds.of(SECRET, self.assignment, solution.name, self.draws)
        seeds = replace(secret, public=tuple(public))
        sources = dict(solution.sources)
        return grade.judge(self.loaded, sources, seeds, self.walls, limits, reveal=True, only=only)

    @property
    def loaded(self) -> Assignment:
        return grade.loaded(self.course, self.assignment)


def _row(solution: Solution, rows: list[Result], found: list[str]) -> Row:
    tags = {r.check: "" if r.passed else r.tag for r in rows}
    return Row(solution.name, solution.kind, tags, sum(r.points for r in rows), tuple(found))


def everything(assignment: Assignment) -> list[Solution]:
    """All solutions, the stub, and the exploits where there are some."""
    return [*assignment.solutions(), assignment.stub(), *assignment.exploits()]


def verify(
    assignment: Assignment,
    backend: str,
    *,
    seeds: int = SEEDS,
    jobs: int | None = None,
    exploits: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> Matrix:
    """Run every solution of an assignment and judge the checks by what they said."""
    solutions = [s for s in everything(assignment) if exploits or s.kind != "exploit"]
    trial = Trial(assignment.root, assignment.id, backend, seeds)
    rows: dict[int, Row] = {}
    work = scale.imap(
        trial,
        [(s.kind, s.name) for s in solutions],
        jobs=jobs or scale.default_jobs(),
        limit_s=limits(seeds).total_s + grade.MARGIN_S,
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
    used = {tag for r in rows if r.kind != "exploit" for tag in r.tags.values() if tag}
    found += [f"tag {tag}: not in hints.yaml" for tag in sorted(used - set(assignment.hints))]
    n = sum(r.kind == "alternate" for r in rows)
    if n < ALTERNATES:
        found.append(f"{n} alternates, want at least {ALTERNATES}")
    return found
