"""What the gradebook says of a submission: a human's points and words too, and how late it came.

nbgrader's own rules: a human's score before ours, extra credit on top, less the late penalty. Read
from its tables a batch of students at a time. Owns: Standing and the reading of it. Must not know:
nbgrader's package, records. Read before: ledger.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sql

from autograder.ledger import Ledger, batches


@dataclass(frozen=True)
class Standing:
    """One submission as it stands in the gradebook; points per hole, seconds late."""

    score: float = 0.0  # as nbgrader exports it
    penalty: float = 0.0
    late_s: float = 0.0
    by_hand: Mapping[str, float] = field(default_factory=dict)  # hole -> a human's points
    extra: Mapping[str, float] = field(default_factory=dict)  # hole -> extra credit
    comments: Mapping[str, str] = field(default_factory=dict)  # hole -> what a human wrote
    waits: bool = False  # somebody has yet to look

    @property
    def plain(self) -> bool:
        """Nothing but our own points: no human, none waited for, no penalty, not late."""
        human = self.by_hand or self.extra or self.comments or self.waits
        return not (self.penalty or self.late_s or human)


def of(book: Ledger, students: Iterable[str]) -> dict[str, Standing]:
    """What stands for these students, of those that are in the gradebook."""
    found: dict[str, Standing] = {}
    for names in batches(sorted(set(students))):
        found |= _batch(book, names)
    return found


def _batch(book: Ledger, names: list[str]) -> dict[str, Standing]:
    handed, notebook = book.tables["submitted_assignment"], book.tables["submitted_notebook"]
    query = sql.select(
        handed.c.student_id, handed.c.timestamp, notebook.c.id, notebook.c.late_submission_penalty
    ).join(notebook, notebook.c.assignment_id == handed.c.id)
    mine = (notebook.c.notebook_id == book.notebook_id) & handed.c.student_id.in_(names)
    rows = list(book.connection.execute(query.where(mine)))
    ids = [r.id for r in rows]
    points, said = (_by_notebook(book, book.tables[name], ids) for name in ("grade", "comment"))
    book.connection.rollback()  # reading began a transaction
    return {r.student_id: _standing(book, r, points[r.id], said[r.id]) for r in rows}


def _by_notebook(book: Ledger, table: sql.Table, ids: list[str]) -> dict[str, list[Any]]:
    found = defaultdict(list)
    for row in book.connection.execute(sql.select(table).where(table.c.notebook_id.in_(ids))):
        found[row.notebook_id].append(row)
    return found


def _standing(book: Ledger, row: Any, points: list[Any], said: list[Any]) -> Standing:
    cells = {id_: name.removeprefix("check_") for name, (id_, _) in book.grade_cells.items()}
    holes = {id_: name for name, id_ in book.solution_cells.items()}
    late_s, total = 0.0, 0.0
    if book.duedate is not None and row.timestamp is not None:
        late_s = max(0.0, (row.timestamp - book.duedate).total_seconds())
    for one in points:
        value = one.auto_score if one.manual_score is None else one.manual_score
        total += 0.0 if value is None else value + (one.extra_credit or 0.0)
    mine = [p for p in points if p.cell_id in cells]
    penalty = row.late_submission_penalty or 0.0
    return Standing(
        score=max(0.0, total - penalty),
        penalty=penalty,
        late_s=late_s,
        by_hand={cells[p.cell_id]: p.manual_score for p in mine if p.manual_score is not None},
        extra={cells[p.cell_id]: p.extra_credit for p in mine if p.extra_credit},
        comments={
            holes[c.cell_id]: c.manual_comment
            for c in said
            if c.cell_id in holes and c.manual_comment
        },
        waits=any(p.needs_manual_grade for p in mine),
    )
