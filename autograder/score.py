"""Marks from results. Pure: records in, numbers out; the same records always give the same marks.

Owns: how points add up. Must not know: files, sandboxes, nbgrader. Read before: results.py.
"""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mark:
    """One submission's points, in all and per hole, and the tags of its failures."""

    student: str
    points: float
    max_points: float
    holes: Mapping[str, tuple[float, float]]
    tags: tuple[str, ...]
    sandbox: str
    notes: tuple[str, ...] = ()

    @property
    def percent(self) -> float:
        """Share of the points in percent; 0 where there are none to get."""
        return 100.0 * self.points / self.max_points if self.max_points else 0.0

    @property
    def full(self) -> bool:
        return self.points == self.max_points


@dataclass
class Spread:
    """What is said of a class in a few words; of each mark a number is kept."""

    percents: array = field(default_factory=lambda: array("d"))
    full: int = 0
    zero: int = 0
    noted: int = 0
    tags: Counter[str] = field(default_factory=Counter)

    def counted(self, mark: Mark) -> Mark:
        """The mark itself, now counted."""
        self.percents.append(mark.percent)
        self.full += mark.full
        self.zero += mark.points == 0
        self.noted += bool(mark.notes)
        self.tags.update(mark.tags)
        return mark

    @property
    def n(self) -> int:
        return len(self.percents)

    @property
    def mean(self) -> float:
        return statistics.fmean(self.percents) if self.percents else 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.percents) if self.percents else 0.0


def mark(record: Mapping[str, Any]) -> Mark:
    """The mark of one record: the sum of its results' points.

    What a human can give (``by_hand``) is among the most points, and nobody has it yet.
    """
    holes: dict[str, tuple[float, float]] = {}
    tags: Counter[str] = Counter()
    for row in record["results"]:
        got, most = holes.get(row["hole"], (0.0, 0.0))
        holes[row["hole"]] = (got + row["points"], most + row["max_points"])
        if row["status"] != "passed":
            tags[row["tag"] or row["status"]] += 1
    return Mark(
        student=record["student"],
        points=sum(got for got, _ in holes.values()),
        max_points=sum(most for _, most in holes.values())
        + sum(record.get("by_hand", {}).values()),
        holes=holes,
        tags=tuple(tag for tag, _ in tags.most_common()),
        sandbox=record["sandbox"],
        notes=tuple(record["notes"]),
    )


def by_hand(most: Mapping[str, float]) -> str:
    """The points that a human gives, in words: ``points by hand for why (4 at most)``."""
    return f"points by hand for {', '.join(most)} ({sum(most.values()):g} at most)"


def share_passing(records: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """For each check how many submissions passed it, of how many."""
    counts: dict[str, tuple[int, int]] = {}
    for record in records:
        for row in record["results"]:
            passed, n = counts.get(row["check"], (0, 0))
            counts[row["check"]] = (passed + (row["status"] == "passed"), n + 1)
    return counts


def commonest_tags(records: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """For each tag how many submissions have it at least once."""
    return Counter(
        tag
        for record in records
        for tag in {r["tag"] or r["status"] for r in record["results"] if r["status"] != "passed"}
    )
