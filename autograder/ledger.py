"""nbgrader's tables, written many rows at a time.

nbgrader's own calls commit every cell of every student (0.2 s a submission), and its package takes
most of a second to import; here its tables are read as they are in the database, and a batch of
students is compared and written in one transaction. What is right already is not touched. Writers
take turns (TURNS). The same statements serve SQLite and PostgreSQL. Owns: which rows change. Must
not know: nbgrader's package, notebooks. Read before: gradebook.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sql

from autograder import gradebook
from autograder.errors import CourseError, NotInGradebook
from autograder.handout import Handout
from autograder.results import Record

BATCH = 200  # students in a transaction; far below SQLite's limit of parameters
# How a writer begins, so that two that start together come one after the other: what the second
# compares with is then what the first has written. A database without a row has its own locks.
TURNS = {
    "sqlite": "BEGIN IMMEDIATE",
    "postgresql": "SELECT pg_advisory_xact_lock(7190462181)",  # a number that stands for us
}


@dataclass(frozen=True)
class Row:
    """What the gradebook shall say of one submission, by grade id and by hole.

    ``points`` of None are a human's to give; ``changed`` are the answers that are others than when
    they were last written, so that somebody has to look again.
    """

    student: str
    submitted: datetime | None
    points: Mapping[str, tuple[float | None, float]]
    comments: Mapping[str, str | None]
    changed: frozenset[str] = frozenset()


def row(
    record: Record,
    handout: Handout,
    sources: Mapping[str, str],
    submitted: datetime | None,
    changed: frozenset[str] = frozenset(),
) -> Row:
    """The row of a record; ``sources`` are those of holes and answers."""
    said = {
        hole: gradebook.comment(record, hole, sources.get(hole, stub), stub)
        for hole, stub in (handout.stubs | handout.answers).items()
    }
    points = gradebook.points(record) | gradebook.by_hand(handout, sources)
    return Row(record["student"], submitted, points, said, changed)


def batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    """Records, or names of students, in lists of BATCH."""
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch


def graded(
    value: float | None, before: float | None, manual: float | None, needs: bool
) -> tuple[float | None, bool]:
    """(auto_score, needs_manual_grade): a human is asked again only where the points changed."""
    if value is None:
        return before, needs
    return value, manual is not None and (needs or before != value)


def asked(
    value: float | None, manual: float | None, needs: bool, changed: bool
) -> tuple[float | None, bool]:
    """The same of an answer: a human is asked where it is written, and again where it changed."""
    if value is not None:  # left as it was: nothing to read, unless points were given for it
        return value, manual is not None and (needs or changed)
    return None, manual is None or needs or changed


def same_points(name: str, gradebook_has: float, record_has: float) -> None:
    """CourseError where a cell's points are others than when it was released."""
    if abs(gradebook_has - record_has) > 1e-9:
        raise CourseError(
            f"{name}: {gradebook_has:g} points in the gradebook, {record_has:g} in the results: "
            "the assignment changed since it was released; release it again, then grade"
        )


@contextmanager
def opened(url: str, assignment: str) -> Iterator[Ledger]:
    """The ledger of one assignment in the gradebook at a database URL."""
    # formgrader may be writing at the same time; SQLite's own patience is 5 s. Without an isolation
    # level its driver leaves it to TURNS where a transaction begins.
    options = {"timeout": 60, "isolation_level": None} if url.startswith("sqlite") else {}
    engine = connected(url, connect_args=options)
    try:
        with engine.connect() as connection:
            yield Ledger(connection, assignment)
    except sql.exc.OperationalError as error:
        raise unreachable(url, error) from None
    finally:
        engine.dispose()


def complete(url: str, schema: sql.MetaData, version: Callable[[], str]) -> bool:
    """Make a gradebook's tables, or what is missing of one that a failed ``alembic`` left without a
    version; False where nothing is missing. A file appears under its name when it is whole.
    """
    path, part = None, None
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        if not path.exists() or path.stat().st_size == 0:
            part = path.with_name(f".{path.name}.{os.getpid()}.part")
            path.parent.mkdir(parents=True, exist_ok=True)
            part.unlink(missing_ok=True)
            url = f"sqlite:///{part}"
    engine = connected(url)
    try:
        with engine.begin() as connection:
            whole = "alembic_version" in sql.inspect(connection).get_table_names()
            if not whole:
                schema.create_all(bind=connection)
                make = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"
                connection.execute(sql.text(make))
                row = sql.text("INSERT INTO alembic_version VALUES (:version)")
                connection.execute(row, {"version": version()})
    except sql.exc.OperationalError as error:
        raise unreachable(url, error) from None
    finally:
        engine.dispose()
    if part:
        part.replace(path)
    return not whole


def connected(url: str, **options: Any) -> sql.Engine:
    """An engine for a database; CourseError for a URL that is none or whose driver is not there."""
    try:
        return sql.create_engine(url, future=True, **options)
    except sql.exc.ArgumentError:
        raise CourseError(f"{url!r} is no URL of a database; want postgresql://...") from None
    except ImportError as error:
        raise CourseError(
            f"{error.name} is missing for {shown(url)}; PostgreSQL's driver comes with "
            "pip install 'minengine[postgres]'"
        ) from None


def shown(url: str) -> str:
    """A database's URL without its password."""
    return sql.make_url(url).render_as_string(hide_password=True)


def unreachable(url: str, error: Exception) -> CourseError:
    """In words: the database does not answer, or somebody holds it for too long."""
    first = str(getattr(error, "orig", error)).strip().splitlines()[0]
    return CourseError(f"the gradebook {shown(url)} cannot be used now: {first}")


class Ledger:
    """The rows of one assignment, whose notebook has its name. CourseError where there is none."""

    def __init__(self, connection: sql.Connection, assignment: str) -> None:
        self.connection, meta = connection, sql.MetaData()
        meta.reflect(connection)
        self.tables = meta.tables
        of, notebook = meta.tables["assignment"], meta.tables["notebook"]
        cell, graded = meta.tables["base_cell"], meta.tables["grade_cells"]
        mine = (of.c.id == notebook.c.assignment_id) & (of.c.name == notebook.c.name)
        query = sql.select(of.c.id, of.c.duedate, notebook.c.id.label("notebook"))
        found = connection.execute(query.where(mine, of.c.name == assignment)).first()
        if found is None:
            raise NotInGradebook(
                f"the gradebook has no assignment {assignment}: run `autograder release` first"
            )
        self.assignment_id, self.duedate, self.notebook_id = found
        cells = sql.select(cell.c.id, cell.c.name, cell.c.type, graded.c.max_score)
        cells = cells.join(graded, graded.c.id == cell.c.id, isouter=True)
        rows = list(connection.execute(cells.where(cell.c.notebook_id == self.notebook_id)))
        self.grade_cells = {r.name: (r.id, r.max_score) for r in rows if r.type == "GradeCell"}
        self.solution_cells = {r.name: r.id for r in rows if r.type == "SolutionCell"}
        connection.rollback()  # reading began a transaction; each write has its own

    def write(self, rows: list[Row]) -> None:
        """Bring these students' rows up to date, in one transaction."""
        for one in rows:
            for name, (_, most) in one.points.items():
                if name not in self.grade_cells:
                    raise CourseError(
                        f"{name} is not in the gradebook: release the assignment again, then grade"
                    )
                same_points(name, self.grade_cells[name][1], most)
        longest = self.tables["student"].c.id.type.length or 0
        for one in rows:
            if len(one.student) > longest > 0:
                raise CourseError(
                    f"{one.student}: {len(one.student)} characters, a gradebook takes {longest}"
                )
        try:
            self._take_turn()
            self._students(rows)
            notebooks = self._notebooks(rows, self._submissions(rows))
            self._grades(rows, notebooks)
            self._comments(rows, notebooks)
            self.connection.commit()
        except BaseException:
            self.connection.rollback()
            raise

    def settle(self) -> bool:
        """Take back all late penalties; is there a due date, from which to reckon them anew?"""
        table = self.tables["submitted_notebook"]
        late = (table.c.notebook_id == self.notebook_id) & table.c.late_submission_penalty.isnot(
            None
        )
        self._take_turn()
        self.connection.execute(table.update().where(late).values(late_submission_penalty=None))
        self.connection.commit()
        return self.duedate is not None

    def _take_turn(self) -> None:
        """Begin a transaction that no other writer of ours is in; waits for it."""
        if begin := TURNS.get(self.connection.dialect.name):
            self.connection.exec_driver_sql(begin)

    def _students(self, rows: list[Row]) -> None:
        table = self.tables["student"]
        names = {r.student for r in rows}
        known = self._select(table, table.c.id, names)
        self._insert(table, [{"id": n} for n in sorted(names - {k.id for k in known})])

    def _submissions(self, rows: list[Row]) -> dict[str, str]:
        """student -> id of the submitted assignment."""
        table = self.tables["submitted_assignment"]
        found = self._select(
            table, table.c.student_id, {r.student for r in rows},
            table.c.assignment_id == self.assignment_id,
        )  # fmt: skip
        known = {f.student_id: f for f in found}
        ids = {s: f.id for s, f in known.items()}
        new, changed = [], []
        for one in rows:
            if one.student not in known:
                ids[one.student] = new_id()
                new.append({
                    "id": ids[one.student], "assignment_id": self.assignment_id,
                    "student_id": one.student, "timestamp": one.submitted,
                })  # fmt: skip
            elif one.submitted is not None and known[one.student].timestamp != one.submitted:
                changed.append({"key": ids[one.student], "timestamp": one.submitted})
        self._insert(table, new)
        self._update(table, changed)
        return ids

    def _notebooks(self, rows: list[Row], submissions: Mapping[str, str]) -> dict[str, str]:
        """student -> id of the submitted notebook."""
        table = self.tables["submitted_notebook"]
        found = self._select(
            table, table.c.assignment_id, set(submissions.values()),
            table.c.notebook_id == self.notebook_id,
        )  # fmt: skip
        known = {f.assignment_id: f.id for f in found}
        new = [
            {
                "id": new_id(),
                "assignment_id": id_,
                "notebook_id": self.notebook_id,
                "flagged": False,
            }
            for id_ in submissions.values()
            if id_ not in known
        ]
        self._insert(table, new)
        known |= {n["assignment_id"]: n["id"] for n in new}
        return {r.student: known[submissions[r.student]] for r in rows}

    def _grades(self, rows: list[Row], notebooks: Mapping[str, str]) -> None:
        table = self.tables["grade"]
        found = self._select(table, table.c.notebook_id, set(notebooks.values()))
        known = {(f.notebook_id, f.cell_id): f for f in found}
        new, changed = [], []
        for one in rows:
            for name, (cell, _) in self.grade_cells.items():
                value, place = one.points.get(name, (None, 0))[0], (notebooks[one.student], cell)
                before = known.get(place)
                if before is None:
                    new.append({
                        "id": new_id(), "notebook_id": place[0], "cell_id": cell,
                        "auto_score": value, "needs_manual_grade": value is None,
                    })  # fmt: skip
                    continue
                old = (before.auto_score, before.needs_manual_grade)
                if name in self.solution_cells:  # an answer: nbgrader has it as both
                    want = asked(value, before.manual_score, old[1], name in one.changed)
                else:
                    want = graded(value, old[0], before.manual_score, old[1])
                if want != old:
                    changed.append(
                        {"key": before.id, "auto_score": want[0], "needs_manual_grade": want[1]}
                    )
        self._insert(table, new)
        self._update(table, changed)

    def _comments(self, rows: list[Row], notebooks: Mapping[str, str]) -> None:
        table = self.tables["comment"]
        found = self._select(table, table.c.notebook_id, set(notebooks.values()))
        known = {(f.notebook_id, f.cell_id): f for f in found}
        new, changed = [], []
        for one in rows:
            for name, cell in self.solution_cells.items():
                text, place = one.comments.get(name), (notebooks[one.student], cell)
                before = known.get(place)
                if before is None:
                    new.append(
                        {
                            "id": new_id(),
                            "notebook_id": place[0],
                            "cell_id": cell,
                            "auto_comment": text,
                        }
                    )
                elif before.auto_comment != text:
                    changed.append({"key": before.id, "auto_comment": text})
        self._insert(table, new)
        self._update(table, changed)

    def _select(self, table: sql.Table, column: Any, values: set, *conditions: Any) -> list[Any]:
        """Rows with these values, held against formgrader's writing until the transaction ends."""
        query = sql.select(table).where(column.in_(sorted(values)), *conditions).with_for_update()
        return list(self.connection.execute(query))

    def _insert(self, table: sql.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            self.connection.execute(table.insert(), rows)

    def _update(self, table: sql.Table, rows: list[dict[str, Any]]) -> None:
        """Rows with their id under "key"; all with the same columns."""
        if rows:
            query = table.update().where(table.c.id == sql.bindparam("key"))
            columns = {c: sql.bindparam(c) for c in rows[0] if c != "key"}
            self.connection.execute(query.values(columns), rows)


def new_id() -> str:
    """A key as nbgrader makes them."""
    return uuid4().hex
