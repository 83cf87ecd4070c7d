"""From records to what nbgrader shows: scores and comments in its gradebook, and autograded/.

Everything nbgrader knows of the folder (where its database and folders are) is read from
nbgrader_config.py; its package, which takes most of a second to import, is not needed. Owns:
autograded/ and when a notebook came in. Must not know: nbgrader's package, its tables, how a
verdict arises. Read before: gradebook.py, ledger.py, classroom.py, submission.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from traitlets.config.loader import Config, PyFileConfigLoader

from autograder import gradebook, ledger, notebooks, pages, submission
from autograder.classroom import Classroom
from autograder.errors import CourseError
from autograder.handout import Handout
from autograder.results import Record

CONFIG = "nbgrader_config.py"
MAX_TIMESTAMP = 200  # bytes of a timestamp.txt that are read


@dataclass(frozen=True)
class Written:
    """How many records were written, and whether there is a due date."""

    n: int
    due: bool


def write(
    course_dir: Path | str,
    assignment: str,
    records: Iterable[Record],
    handout: Handout,
    *,
    submitted: Mapping[str, datetime] | None = None,
) -> Written:
    """Write scores, comments and autograded/ of these records.

    Repeatable: what is right already stays, a human's score and comment always stay. A student not
    in the gradebook is added. ``submitted`` is when each notebook came in, for lateness; without
    it timestamp.txt beside the notebook says so, as with nbgrader's own collecting (a file that a
    student could have written). Where the assignment has a due date, late penalties were taken
    back and ``nbgrader_bridge.penalize`` has to reckon them anew. CourseError where the gradebook
    has no such assignment or other points than the records.
    """
    root = Path(course_dir).resolve()
    config = settings(root)
    handed_in = Classroom(root).submissions(assignment)
    n = 0
    with ledger.opened(url(root, config), assignment) as book:
        for batch in ledger.batches(records):
            rows = []
            for record in batch:
                path = handed_in.get(pages.one_name(record["student"]))
                when = (submitted or {}).get(record["student"]) or _timestamp(path)
                sources = _sources(path, handout)
                rows.append(ledger.row(record, handout, sources, when))
                _write_autograded(root, config, handout, sources, record, when)
            book.write(rows)
            n += len(rows)
        return Written(n, book.settle())


def settings(root: Path) -> Config:
    """What nbgrader_config.py says; nothing where there is none."""
    if not (root / CONFIG).exists():
        return Config()
    return PyFileConfigLoader(CONFIG, path=str(root)).load_config()


def url(root: Path, config: Config) -> str:
    """Of the database: CourseDirectory.db_url, or gradebook.db in the folder."""
    found = config.CourseDirectory.get("db_url", f"sqlite:///{root / 'gradebook.db'}")
    if found.startswith("sqlite:///") and not Path(found.removeprefix("sqlite:///")).exists():
        raise CourseError(f"{root} has no gradebook: run `autograder init {root}`")
    return found


def _sources(path: Path | None, handout: Handout) -> dict[str, str]:
    """The holes of a notebook, none of one that is gone or unreadable (its record says why)."""
    if path is None:
        return {}
    try:
        return dict(submission.read(path, handout).holes)
    except submission.SubmissionError:
        return {}


def _timestamp(path: Path | None) -> datetime | None:
    """When a notebook was handed in, as timestamp.txt says; None where it says nothing readable."""
    if path is None:
        return None
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        handle = os.open(path.with_name("timestamp.txt"), flags)
        with os.fdopen(handle, "rb") as file:
            return utc(file.read(MAX_TIMESTAMP).decode("utf-8").strip())
    except (OSError, ValueError, OverflowError, ZoneInfoNotFoundError):
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


def _write_autograded(
    root: Path,
    config: Config,
    handout: Handout,
    sources: Mapping[str, str],
    record: Record,
    when: datetime | None,
) -> None:
    """The notebook that formgrader shows, read-only as nbgrader's own are."""
    places = config.CourseDirectory
    structure = places.get("directory_structure", "{nbgrader_step}/{student_id}/{assignment_id}")
    step = places.get("autograded_directory", "autograded")
    assignment = record["assignment"]
    folder = root / structure.format(
        nbgrader_step=step, student_id=record["student"], assignment_id=assignment
    )
    made = gradebook.notebook(handout, sources, record)
    pages.write(folder / f"{assignment}.ipynb", notebooks.text(made), 0o444)
    if when is not None:  # nbgrader compares it to see whether a newer submission came in
        pages.write(folder / "timestamp.txt", f"{when.isoformat(' ')} UTC\n", 0o444)
