"""What counts in the end for each student, for exports: and who they are, for the gradebook.

A final is what nbgrader itself would export (a human's points before ours, extra credit, less the
late penalty), with the record that it came from and the person of the roster. Owns: this joining,
the students' names in the gradebook. Must not know: formats, nbgrader's package, notebooks.
Read before: score.py, ledger.py, roster.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sql

from autograder import bookkeeper, ledger, pages, score
from autograder.results import Record
from autograder.roster import Person, Roster

NAMES = {"first_name": "first", "last_name": "last", "email": "email", "lms_user_id": "lms_id"}
FOUND = 500  # students compared at a time; below SQLite's limit of parameters


@dataclass(frozen=True)
class Final:
    """One student: ``raw`` points, of them ``penalty`` lost by lateness.

    ``handed_in`` is False for a student who is known and has no submission. ``asks_human`` where
    somebody has yet to look.
    """

    person: Person
    raw: float
    penalty: float
    max_points: float
    handed_in: bool
    submitted: datetime | None = None
    asks_human: bool = False
    record: Record | None = None

    @property
    def points(self) -> float:
        return max(0.0, self.raw - self.penalty)

    @property
    def unsandboxed(self) -> bool:
        return self.record is not None and pages.unsandboxed(self.record)

    @property
    def comment(self) -> str:
        """One line: points, what lateness cost, the commonest tags; the stamp where it is due."""
        if not self.handed_in:
            return ""
        parts = [pages.STAMP] if self.unsandboxed else []
        parts.append(f"{self.points:.10g} of {self.max_points:.10g} points")
        if self.penalty:
            parts.append(f"late: {self.penalty:.10g} points off")
        tags = score.mark(self.record).tags if self.record else ()
        if tags:
            more = f" and {len(tags) - 5} more" if len(tags) > 5 else ""
            parts.append(f"to look at: {', '.join(tags[:5])}{more}")
        return pages.printable("; ".join(parts))


@dataclass(frozen=True)
class Finals:
    """Everybody's, by student id, and what an export says of the assignment."""

    assignment: str
    title: str
    max_points: float
    due: datetime | None
    rows: tuple[Final, ...]


def of_records(
    assignment: str, title: str, max_points: float, records: Iterable[Record], roster: Roster
) -> Finals:
    """From the results alone: no human's points, no lateness."""
    rows = {p.student: Final(p, 0.0, 0.0, max_points, False) for p in roster}
    for record in records:
        mark = score.mark(record)
        person = roster.people.get(mark.student, Person(mark.student))
        waits = bool(record.get("by_hand"))  # nobody has given these points
        both = {"asks_human": waits, "record": record}
        rows[mark.student] = Final(person, mark.points, 0.0, mark.max_points, True, **both)
    return Finals(assignment, title, max_points, None, tuple(rows[s] for s in sorted(rows)))


def of_gradebook(
    root: Path, assignment: str, title: str, records: Iterable[Record], roster: Roster
) -> Finals:
    """From the gradebook, its students and the roster's. CourseError where there is none."""
    root = Path(root).resolve()
    known = {r["student"]: r for r in records}
    with ledger.opened(bookkeeper.url(root, bookkeeper.settings(root)), assignment) as book:
        most = sum(cell[1] or 0.0 for cell in book.grade_cells.values())
        people = dict(roster.people)
        for one in book.connection.execute(sql.select(book.tables["student"])):
            in_book = {f: getattr(one, column) or "" for column, f in NAMES.items()}
            people.setdefault(one.id, Person(one.id, **in_book))
        found = _scores(book)
        due = book.duedate
    rows = []
    for student in sorted(people):
        raw, penalty, when, asks, there = found.get(student, (0.0, 0.0, None, False, False))
        record = known.get(student) if there else None
        rows.append(Final(people[student], raw, penalty, most, there, when, asks, record))
    return Finals(assignment, title, most, due, tuple(rows))


def _scores(book: ledger.Ledger) -> dict[str, tuple]:
    """Student -> (points, late penalty, time, does it wait for a human, True), as nbgrader adds."""
    handed, notebook, grade = (
        book.tables[name] for name in ("submitted_assignment", "submitted_notebook", "grade")
    )
    extra = sql.func.coalesce(grade.c.extra_credit, 0.0)
    points = sql.case(
        (grade.c.manual_score.isnot(None), grade.c.manual_score + extra),
        (grade.c.auto_score.isnot(None), grade.c.auto_score + extra),
        else_=0.0,  # nbgrader gives no extra credit to what has no score
    )
    query = (
        sql.select(
            handed.c.student_id,
            handed.c.timestamp,
            sql.func.sum(points),
            sql.func.max(sql.func.coalesce(notebook.c.late_submission_penalty, 0.0)),
            sql.func.sum(sql.case((grade.c.needs_manual_grade, 1), else_=0)),
        )
        .join(notebook, notebook.c.assignment_id == handed.c.id)
        .join(grade, grade.c.notebook_id == notebook.c.id, isouter=True)
        .where(notebook.c.notebook_id == book.notebook_id)
        .group_by(handed.c.student_id, handed.c.timestamp)
    )
    rows = list(book.connection.execute(query))
    return {s: (got or 0.0, late, when, bool(asks), True) for s, when, got, late, asks in rows}


def enrol(root: Path, people: Iterable[Person]) -> int:
    """Write names, addresses and systems' ids of these into the gradebook; how many changed.

    What the roster leaves empty stays as it is. CourseError where there is no gradebook.
    """
    root = Path(root).resolve()
    wanted = {p.student: _columns(p) for p in people}
    engine = ledger.connected(bookkeeper.url(root, bookkeeper.settings(root)))
    changed = 0
    try:
        with engine.begin() as connection:
            table = sql.Table("student", sql.MetaData(), autoload_with=connection)
            names = sorted(wanted)
            for start in range(0, len(names), FOUND):
                changed += _enrol(connection, table, names[start : start + FOUND], wanted)
    finally:
        engine.dispose()
    return changed


def _enrol(
    connection: sql.Connection, table: sql.Table, names: list[str], wanted: Mapping[str, dict]
) -> int:
    query = sql.select(table).where(table.c.id.in_(names))
    known = {row.id: row._mapping for row in connection.execute(query)}
    empty = dict.fromkeys(NAMES)
    new = [{"id": n} | empty | wanted[n] for n in names if n not in known]
    if new:
        connection.execute(table.insert(), new)
    changed = 0
    for name in names:
        values = {c: v for c, v in wanted[name].items() if name in known and known[name][c] != v}
        if values:
            connection.execute(table.update().where(table.c.id == name).values(values))
            changed += 1
    return len(new) + changed


def _columns(person: Person) -> dict[str, str]:
    """The gradebook's columns that the roster fills; its texts have at most 128 characters."""
    filled = {column: getattr(person, f)[:128] for column, f in NAMES.items()}
    return {column: text for column, text in filled.items() if text}
