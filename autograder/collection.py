"""Collecting: from what a class handed in to submitted/STUDENT/ASSIGNMENT/, with a log of it.

Each student's newest attempt is taken; everything not taken is said. The log
(``.autograder/collected/ASSIGNMENT.csv``) has one row an attempt and when it came by the
instructor's clock or the learning system's, never by a file that a student wrote. Owns: which
attempt counts, the log, the files written. Must not know: how a system names files, what a notebook
holds. Read before: archive.py, layouts.py, roster.py, classroom.py.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from autograder import archive, lateness, layouts, pages
from autograder.errors import CourseError
from autograder.layouts import Attempt
from autograder.roster import NOT_A_NAME, Roster

WHEN = ("auto", "source", "now")
STATES = ("new", "newer", "unchanged", "older")


@dataclass(frozen=True)
class Row:
    """One attempt in the log; ``stands`` is "yes" for the one in submitted/."""

    student: str
    when: str  # UTC, ISO 8601
    digest: str  # SHA-256 of the file
    late: str
    layout: str
    origin: str
    stands: str = ""

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.when)


@dataclass(frozen=True)
class Taken:
    """What became of one student: ``state`` is one of STATES, ``by`` how the roster was matched."""

    student: str
    state: str
    origin: str
    by: str
    when: str
    late: bool
    attempts: int
    others: tuple[str, ...] = ()  # older attempts in the same source


@dataclass
class Collection:
    """The outcome of collecting one source."""

    assignment: str
    layout: str
    dry_run: bool
    taken: list[Taken] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # a student's work was not taken
    skipped: list[str] = field(default_factory=list)  # a file is no notebook, or is not looked at

    def count(self, state: str) -> int:
        return sum(t.state == state for t in self.taken)


@dataclass(frozen=True)
class Found:
    """An attempt with its owner and the digest of its bytes."""

    attempt: Attempt
    by: str
    digest: str


@dataclass(frozen=True)
class Wishes:
    """How to collect: ``when`` is one of WHEN or a moment; ``now`` the instructor's clock."""

    when: str | datetime = "auto"
    layout: str = ""
    any_owner: bool = False
    force: bool = False
    dry_run: bool = False
    now: datetime = field(default_factory=lambda: datetime.now(UTC))


def collect(
    root: Path, assignment: str, source: Path | str, roster: Roster, wishes: Wishes | None = None
) -> Collection:
    """Take every student's newest attempt at ``assignment`` from ``source``.

    Without a roster a student's id is what the source says. Repeatable: the same source changes
    nothing. Never raises for one student's file; CourseError where the source cannot be read.
    """
    wishes = wishes or Wishes()
    pages.one_name(assignment)
    with archive.opened(source) as opened:
        layout, found = layouts.read(opened, assignment, wishes.layout)
        made = Collection(assignment, layout.name, wishes.dry_run)
        made.skipped += [*opened.skipped, *(f for f in found if isinstance(f, str))]
        owned = _owned([f for f in found if isinstance(f, Attempt)], roster, wishes, made)
        log = read_log(root, assignment)
        for student, attempts in sorted(owned.items()):
            rows = log.setdefault(student, [])
            _one(Path(root), made, student, attempts, rows, wishes)
    if not wishes.dry_run:
        _write_log(Path(root), assignment, log)
        _write_times(Path(root), assignment, log)
    return made


def _owned(
    attempts: Iterable[Attempt], roster: Roster, wishes: Wishes, made: Collection
) -> dict[str, list[Found]]:
    """Student -> attempts, oldest first; whoever cannot be told is a problem, and nobody's."""
    owned: dict[str, list[Found]] = {}
    for attempt in attempts:
        name = attempt.entry.name
        if attempt.warning and not wishes.any_owner:
            made.problems.append(f"{name}: {attempt.warning}; --any-owner takes it")
            continue
        student, by = attempt.own_id, "the source"
        if len(roster):
            match = roster.match(attempt.who)
            if match.person is None:
                made.problems.append(f"{name}: {match.why}")
                continue
            student, by = match.person.student, match.by
        if not student or NOT_A_NAME.search(student):
            made.problems.append(f"{name}: {student!r} cannot be a student's folder")
            continue
        try:
            digest = hashlib.sha256(attempt.entry.read()).hexdigest()
        except archive.Unreadable as error:
            made.problems.append(str(error))
            continue
        owned.setdefault(student, []).append(Found(attempt, by, digest))
    for found in owned.values():
        found.sort(key=lambda f: f.attempt.order)
    return owned


def _one(
    root: Path, made: Collection, student: str, found: list[Found], rows: list[Row], wishes: Wishes
) -> None:
    """Decide about one student, write the notebook, bring the log's rows up to date."""
    newest = found[-1]
    equals = {f.digest: f for f in found if f.attempt.order == newest.attempt.order}
    if len(equals) > 1:
        names = " and ".join(sorted(f.attempt.entry.name for f in equals.values()))
        made.problems.append(f"{student}: {names}: which one counts cannot be told")
        return
    path = root / "submitted" / student / made.assignment / f"{made.assignment}.ipynb"
    known = {r.digest: r for r in rows}
    when = {f.digest: _when(f, known, wishes) for f in found}
    try:
        here = _on_disk(path)
        state = _state(newest, here, known, wishes)
        if state in ("new", "newer", "unchanged") and not wishes.dry_run:
            data = None if state == "unchanged" else _again(newest)
            _write(path, data, when[newest.digest])
    except CourseError as error:
        made.problems.append(f"{student}: {error}")
        return
    except OSError as error:
        made.problems.append(f"{student}: {path}: {error.strerror}")
        return
    if state == "foreign":
        made.problems.append(
            f"{student}: {path} is another notebook, which was not collected; --force replaces it"
        )
        return
    logged = known | {f.digest: _row(student, f, when[f.digest], made.layout) for f in found}
    stands = here if state == "older" else newest.digest
    rows[:] = [replace(r, stands="yes" if d == stands else "") for d, r in logged.items()]
    origin = newest.attempt.entry.name
    older = tuple(f.attempt.entry.name for f in found if f.digest != newest.digest)
    moment = when[newest.digest].isoformat(" ", "seconds")
    late, count = newest.attempt.late, len(rows)
    made.taken.append(Taken(student, state, origin, newest.by, moment, late, count, older))


def _again(found: Found) -> bytes:
    """The bytes of an attempt once more: of a class's work only one notebook is held at a time."""
    data = found.attempt.entry.read()
    if hashlib.sha256(data).hexdigest() != found.digest:
        raise archive.Unreadable(f"{found.attempt.entry.name}: changed while it was read")
    return data


def _state(newest: Found, here: str | None, known: dict[str, Row], wishes: Wishes) -> str:
    """new, newer, unchanged, older, or foreign: a notebook lies there that nobody collected."""
    if here is None:
        return "new"
    if here == newest.digest:
        return "unchanged"
    if wishes.force:
        return "newer"
    if here not in known:
        return "foreign"
    if newest.attempt.sure and newest.attempt.when:
        return "newer" if newest.attempt.when > known[here].moment else "older"
    return "older" if newest.digest in known else "newer"


def _when(found: Found, known: dict[str, Row], wishes: Wishes) -> datetime:
    """When an attempt came: as a system's clock has it, else the log, else the instructor's clock.

    A wish for another clock counts for what is not in the log yet, with force for all.
    """
    if isinstance(wishes.when, datetime):
        said = wishes.when
    elif wishes.when == "source" or (wishes.when == "auto" and found.attempt.sure):
        said = found.attempt.when or wishes.now
    else:
        said = wishes.now
    own = wishes.when == "auto" and found.attempt.sure
    if found.digest in known and not wishes.force and not own:
        said = known[found.digest].moment
    return said.astimezone(UTC)


def _row(student: str, found: Found, when: datetime, layout: str) -> Row:
    late = "late" if found.attempt.late else ""
    origin = str(pages.cell(found.attempt.entry.name))  # somebody may open the log in a spreadsheet
    return Row(student, when.isoformat(), found.digest, late, layout, origin)


def _on_disk(path: Path) -> str | None:
    """The digest of a collected notebook, None where there is none; links are refused."""
    for part in (path.parent.parent, path.parent, path):
        if part.is_symlink():
            raise CourseError(f"{part} is a symbolic link")
    if not path.exists():
        return None
    if not path.is_file():
        raise CourseError(f"{path} is no file")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, data: bytes | None, when: datetime) -> None:
    """The notebook, and beside it when it came: nbgrader reads timestamp.txt for lateness."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is not None:
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        part.write_bytes(data)
        part.replace(path)
    os.utime(path, (when.timestamp(), when.timestamp()))
    pages.write(path.with_name("timestamp.txt"), f"{_utc(when)} UTC\n")


def log_path(root: Path, assignment: str) -> Path:
    return Path(root) / ".autograder" / "collected" / f"{assignment}.csv"


def read_log(root: Path, assignment: str) -> dict[str, list[Row]]:
    """Student -> the rows of an assignment's log, in the order they were collected."""
    path, log = log_path(root, assignment), {}
    if path.exists():
        names = [f.name for f in fields(Row)]
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                log.setdefault(row["student"], []).append(Row(**{n: row[n] or "" for n in names}))
    return log


def attempts(root: Path, assignment: str) -> dict[str, int]:
    """Student -> how many different notebooks were collected."""
    return {student: len(rows) for student, rows in read_log(root, assignment).items()}


def _write_log(root: Path, assignment: str, log: dict[str, list[Row]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [f.name for f in fields(Row)])
    writer.writeheader()
    writer.writerows(asdict(row) for _, rows in sorted(log.items()) for row in rows)
    pages.write(log_path(root, assignment), text.getvalue(), 0o600)


def _write_times(root: Path, assignment: str, log: dict[str, list[Row]]) -> None:
    """When the notebook that counts came, by student: the table from which lateness is reckoned.

    Students who are in it and were never collected keep their line.
    """
    path = lateness.times_path(root, assignment)
    stands = lateness.read_times(path) if path.exists() else {}
    rows = (row for rows in log.values() for row in rows if row.stands)
    stands |= {r.student: r.moment.astimezone(UTC).replace(tzinfo=None) for r in rows}
    lateness.write_times(root, assignment, stands)


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
