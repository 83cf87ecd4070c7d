"""When a notebook came in, and what coming late costs.

The time is the instructor's own: a table of times (``DIR/.autograder/times/ASSIGNMENT.csv`` with
the columns student, time; collecting writes it, or ``autograder late --times FILE``); a submission
that is not in it came in when its file arrived in ``submitted/``, by the file's change time, which
no student can set. ``c.LatePolicy.clock = "timestamp"`` believes timestamp.txt instead, as nbgrader
does: a file that a student could have written. Owns: these times, the policy. Must not know: the
gradebook, nbgrader's package. Read before: classroom.py.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from autograder import pages
from autograder.errors import CourseError

TIMESTAMP = "timestamp.txt"
DAY_S = 86400.0
METHODS = ("none", "per_day", "zero")
CLOCKS = ("collected", "timestamp")
COLUMNS = ("student", "time")


@dataclass(frozen=True)
class Policy:
    """What ``c.LatePolicy`` in nbgrader_config.py says; a percentage is of the points got."""

    method: str = "none"
    grace_hours: float = 0.0  # what comes in within it is not late
    per_day: float = 10.0  # percent for each day begun after the grace
    cap: float = 100.0  # percent that are lost at most
    clock: str = "collected"

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Policy:
        """From the section LatePolicy of nbgrader's configuration. CourseError for other values."""
        section = config.get("LatePolicy", {})
        policy = cls(**{f.name: section.get(f.name, f.default) for f in fields(cls)})
        for name, known in (("method", METHODS), ("clock", CLOCKS)):
            if getattr(policy, name) not in known:
                raise CourseError(
                    f"c.LatePolicy.{name} = {getattr(policy, name)!r}, want one of {known}"
                )
        for name, most in (("grace_hours", math.inf), ("per_day", 100), ("cap", 100)):
            value = getattr(policy, name)
            if type(value) not in (int, float) or not 0 <= value <= most:
                raise CourseError(f"c.LatePolicy.{name} = {value!r}, want a number in 0..{most}")
        return policy

    def penalty(self, points: float, late_s: float) -> float:
        """The points lost of ``points`` by coming ``late_s`` seconds after the due date.

        points * min(cap, per_day * ceil((late_s - grace) / day)) / 100; "zero" takes all of them.
        """
        over_s = late_s - 3600.0 * self.grace_hours
        if self.method == "none" or over_s <= 0 or points <= 0:
            return 0.0
        if self.method == "zero":
            return points
        return points * min(self.cap, self.per_day * math.ceil(over_s / DAY_S)) / 100.0


@dataclass(frozen=True)
class Clock:
    """The times of one assignment's submissions, in UTC and without a zone, as nbgrader keeps them.

    ``table`` has the times that were written down, by student.
    """

    policy: Policy
    table: Mapping[str, datetime]

    @classmethod
    def of(cls, root: Path, assignment: str, policy: Policy) -> Clock:
        path = times_path(root, assignment)
        return cls(policy, read_times(path) if path.exists() else {})

    def when(self, student: str, notebook: Path | None) -> datetime | None:
        """When the student's notebook came in; None where nothing says so."""
        if student in self.table:
            return self.table[student]
        return (timestamp if self.policy.clock == "timestamp" else arrival)(notebook)

    def source(self, student: str) -> str:
        """What tells the student's time, in words."""
        if student in self.table:
            return "table of times"
        return "timestamp.txt" if self.policy.clock == "timestamp" else "arrival of the file"


def times_path(root: Path, assignment: str) -> Path:
    return Path(root, ".autograder", "times", f"{pages.one_name(assignment)}.csv")


def read_times(path: Path) -> dict[str, datetime]:
    """The table at ``path``; CourseError names the line that is off."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            missing = [c for c in COLUMNS if c not in (rows.fieldnames or ())]
            if missing:
                raise CourseError(f"{path}: no column {', '.join(missing)}")
            return {r["student"]: _time(path, rows.line_num, r["time"]) for r in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CourseError(f"{path}: {error}") from None


def write_times(root: Path, assignment: str, times: Mapping[str, datetime]) -> Path:
    """Write the table whole, times in UTC; returns its path."""
    lines = [COLUMNS, *((s, f"{t.isoformat(' ')} UTC") for s, t in sorted(times.items()))]
    path = times_path(root, assignment)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)
    part.replace(path)
    return path


def arrival(path: Path | None) -> datetime | None:
    """When the file last changed on this machine; None where there is none."""
    try:
        moment = path.lstat().st_ctime if path else None
    except OSError:
        return None
    return None if moment is None else datetime.fromtimestamp(int(moment), UTC).replace(tzinfo=None)


def timestamp(path: Path | None) -> datetime | None:
    """What timestamp.txt beside a notebook says; None where it says nothing readable."""
    text = pages.small(path.with_name(TIMESTAMP)) if path else None
    try:
        return utc(text or "")
    except (ValueError, OverflowError, ZoneInfoNotFoundError):
        return None


def utc(text: str) -> datetime:
    """``2026-02-02 15:58:23.94 America/Los_Angeles`` (or +0100, or no zone: UTC), in UTC.

    Without a time zone of its own, as nbgrader's database keeps it. ValueError or
    ZoneInfoNotFoundError for anything else.
    """
    parts = text.split(" ")
    if len(parts) != 3:
        moment = datetime.fromisoformat(text)
    else:
        moment = datetime.fromisoformat(" ".join(parts[:2]))
        try:
            zone = datetime.strptime(parts[2], "%z").tzinfo
        except ValueError:
            zone = ZoneInfo(parts[2])
        moment = moment.replace(tzinfo=zone)
    if moment.tzinfo is None:
        return moment
    return moment.astimezone(UTC).replace(tzinfo=None)


def lasted(seconds: float) -> str:
    """``2 d 3 h``, ``45 min``: the two largest units, for a person."""
    minutes = math.ceil(seconds / 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    units = [f"{n} {unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if n]
    return " ".join(units[:2]) or "0 min"


def _time(path: Path, line: int, text: str | None) -> datetime:
    try:
        return utc((text or "").strip())
    except (ValueError, OverflowError, ZoneInfoNotFoundError):
        raise CourseError(
            f"{path}:{line}: {text!r} is no time; want 2026-02-02 15:58:23 Europe/Berlin"
        ) from None
