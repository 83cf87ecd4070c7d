"""Item statistics: how hard each check or quiz question is, and whether it tells students apart.

    difficulty      p = mean share of the item's points (1: everybody has them)
    discrimination  r = Pearson's correlation of the item's points with the points of all others
                    ("corrected item-total"; Nunnally, Bernstein: Psychometric Theory, 1994)

Owns: these numbers and the report's section of them. Must not know: charts, files, sandboxes.
Read before: score.py, pages.py.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder import pages
from autograder.errors import CourseError
from autograder.hints import Hint
from autograder.results import Record

FEW = 20  # students; with fewer, r says nothing
HARD, EASY, BLUNT = 0.2, 0.95, 0.15
MOST_TAGS, MOST_SLOW = 3, 10


@dataclass
class Item:
    """One check or question while records come in, a number a student."""

    name: str
    title: str
    most: float
    points: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    attempts: dict[bool, list[int]] = field(default_factory=lambda: {True: [], False: []})
    tags: Counter[str] = field(default_factory=Counter)

    def add(self, points: float, total: float) -> None:
        self.points.append(points)
        self.rest.append(total - points)

    @property
    def n(self) -> int:
        return len(self.points)

    @property
    def difficulty(self) -> float:
        return statistics.fmean(self.points) / self.most if self.points else 0.0

    @property
    def discrimination(self) -> float | None:
        """None where all have the same points here, or the same on the others."""
        if self.n < 2 or min(np.ptp(self.points), np.ptp(self.rest)) < 1e-9:
            return None
        return float(np.corrcoef(self.points, self.rest)[0, 1])

    @property
    def slowest(self) -> float:
        return max(self.seconds, default=0.0)

    @property
    def median_s(self) -> float:
        return statistics.median(self.seconds) if self.seconds else 0.0

    @property
    def remark(self) -> str:
        """What an instructor may want to look at."""
        r, p = self.discrimination, self.difficulty
        if self.n < FEW:
            return ""
        if r is not None and r < 0:
            return "those who do well elsewhere fail it: is it right, is the text clear?"
        if p <= HARD:
            return "hardly anybody has it"
        if p >= EASY:
            return "nearly everybody has it"
        if r is not None and r < BLUNT:
            return "says little about who does well elsewhere"
        return ""

    def as_data(self) -> dict[str, Any]:
        """For programs."""
        r = self.discrimination
        return {
            "item": self.name,
            "title": self.title,
            "n": self.n,
            "difficulty": round(self.difficulty, 4),
            "discrimination": None if r is None else round(r, 4),
            "median_s": round(self.median_s, 4),
            "slowest_s": round(self.slowest, 4),
            "attempts_passed": _mean(self.attempts[True]),
            "attempts_failed": _mean(self.attempts[False]),
            "tags": dict(self.tags.most_common(MOST_TAGS)),
            "remark": self.remark,
        }


@dataclass(frozen=True)
class Slow:
    """A submission that took long, and its slowest check."""

    student: str
    seconds: float
    check: str


@dataclass(frozen=True)
class Statistics:
    """Of one assignment: items in the order of the checks, attempts a student, slow ones."""

    items: tuple[Item, ...]
    slow: tuple[Slow, ...]
    attempts: tuple[int, ...] = ()


def of(records: Iterable[Record], attempts: Mapping[str, int] | None = None) -> Statistics:
    """The statistics of all records; ``attempts`` is how often each student handed in, if known."""
    items: dict[str, Item] = {}
    slow: list[Slow] = []
    known = attempts or {}
    seen = []
    for record in records:
        rows = record["results"]
        total = sum(r["points"] for r in rows)
        tries = known.get(record["student"], 0)
        seen += [tries] if tries else []
        for row in rows:
            title = f"{row['hole']}: {row['title']}"
            item = items.setdefault(row["check"], Item(row["check"], title, row["max_points"]))
            item.add(row["points"], total)
            item.seconds.append(row["seconds"])
            passed = row["status"] == "passed"
            if tries:
                item.attempts[passed].append(tries)
            if not passed:
                item.tags[row["tag"] or row["status"]] += 1
        worst = max(rows, key=lambda r: r["seconds"], default=None)
        slow.append(Slow(record["student"], record["seconds"], worst["check"] if worst else ""))
        slow = sorted(slow, key=lambda s: (-s.seconds, s.student))[:MOST_SLOW]
    return Statistics(tuple(items.values()), tuple(slow), tuple(seen))


def of_quiz(papers: Any) -> dict[str, tuple[Item, ...]]:
    """Quiz -> its questions, of what ``quiz mark --json`` printed; papers without a mark are left.

    A paper draws some questions of a bank: a question's rest is the share right of the others on
    the same paper. CourseError where it is something else.
    """
    quizzes: dict[str, dict[str, Item]] = {}
    try:
        for paper in papers:
            if paper.get("error") or "questions" not in paper:
                continue
            rows = [(str(q["id"]), bool(q["right"]), str(q["kind"])) for q in paper["questions"]]
            right, others = sum(r for _, r, _ in rows), max(1, len(rows) - 1)
            items = quizzes.setdefault(str(paper["quiz"]), {})
            for name, got, kind in rows:
                item = items.setdefault(name, Item(name, kind, 1.0))
                item.points.append(float(got))
                item.rest.append((right - got) / others)
    except (TypeError, KeyError, AttributeError) as error:
        raise CourseError(f"not what `quiz mark --json` prints: {error}") from None
    return {quiz: tuple(items[n] for n in sorted(items)) for quiz, items in quizzes.items()}


def section(
    found: Statistics,
    quizzes: Mapping[str, Sequence[Item]] | None = None,
    hints: Mapping[str, Hint] | None = None,
) -> Any:
    """The report's section, as markup."""
    from markupsafe import Markup

    text = pages.render(
        "items.html",
        found=found,
        quizzes=quizzes or {},
        few=FEW,
        mean=_mean,
        most_tags=MOST_TAGS,
        hints=hints or {},
    )
    return Markup(text)


def _mean(values: Sequence[int]) -> float | None:
    return round(statistics.fmean(values), 2) if values else None
