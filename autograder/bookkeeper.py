"""From records to what nbgrader shows: scores and comments in its gradebook, and autograded/.

Everything nbgrader knows of the folder (where its database and folders are) is read from
nbgrader_config.py; its package, which takes most of a second to import, is not needed. Owns:
autograded/, where the gradebook is. Must not know: nbgrader's package, its tables, how a verdict
arises. Read before: gradebook.py, ledger.py, lateness.py, classroom.py, submission.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from traitlets.config.loader import Config, PyFileConfigLoader

from autograder import gradebook, lateness, ledger, notebooks, pages, standings, submission
from autograder.classroom import Classroom
from autograder.errors import NotInGradebook
from autograder.handout import Handout
from autograder.results import Record
from autograder.standings import Standing

CONFIG = "nbgrader_config.py"


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
    in the gradebook is added. ``submitted`` is when each notebook came in, in UTC; without it
    lateness.py says so. Where the assignment has a due date, late penalties were taken back and
    ``nbgrader_bridge.penalize`` has to reckon them anew. CourseError where the gradebook
    has no such assignment or other points than the records.
    """
    root = Path(course_dir).resolve()
    config = settings(root)
    handed_in = Classroom(root).submissions(assignment)
    clock = clock_of(root, assignment)
    place = _autograded(root, config, assignment)
    n = 0
    with ledger.opened(url(root, config), assignment) as book:
        for batch in ledger.batches(records):
            rows = []
            for record in batch:
                path = handed_in.get(pages.one_name(record["student"]))
                student = record["student"]
                when = (submitted or {}).get(student) or clock.when(student, path)
                sources = _sources(path, handout)
                folder = place(student)
                changed = _changed(folder / f"{assignment}.ipynb", handout, sources)
                rows.append(ledger.row(record, handout, sources, when, changed))
                _write_autograded(folder, handout, sources, record, lateness.timestamp(path))
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
        raise NotInGradebook(f"{root} has no gradebook: run `autograder init {root}`")
    return found


def clock_of(root: Path, assignment: str) -> lateness.Clock:
    """When this assignment's notebooks came in, as the configuration wants it."""
    return lateness.Clock.of(root, assignment, lateness.Policy.of(settings(root)))


def standing(
    course_dir: Path | str, assignment: str, students: Iterable[str]
) -> dict[str, Standing]:
    """What the gradebook says of these students; nothing where it has no such assignment."""
    root = Path(course_dir).resolve()
    try:
        with ledger.opened(url(root, settings(root)), assignment) as book:
            return standings.of(book, students)
    except NotInGradebook:
        return {}


def _sources(path: Path | None, handout: Handout) -> dict[str, str]:
    """The holes and answers of a notebook, none of one that is gone or unreadable."""
    if path is None:
        return {}
    try:
        found = submission.read(path, handout)
        return dict(found.holes) | dict(found.answers)
    except submission.SubmissionError:
        return {}


def _changed(path: Path, handout: Handout, sources: Mapping[str, str]) -> frozenset[str]:
    """Answers that are others than in the notebook that formgrader shows; none without one."""
    if not handout.answers or not path.exists():
        return frozenset()
    before = _sources(path, handout)
    stubs = handout.answers
    return frozenset(n for n in stubs if before.get(n) != sources.get(n, stubs[n]))


def _autograded(root: Path, config: Config, assignment: str) -> Callable[[str], Path]:
    """student -> the folder of the notebook that formgrader shows."""
    places = config.CourseDirectory
    structure = places.get("directory_structure", "{nbgrader_step}/{student_id}/{assignment_id}")
    step = places.get("autograded_directory", "autograded")

    def place(student: str) -> Path:
        return root / structure.format(
            nbgrader_step=step, student_id=student, assignment_id=assignment
        )

    return place


def _write_autograded(
    folder: Path,
    handout: Handout,
    sources: Mapping[str, str],
    record: Record,
    stamp: datetime | None,
) -> None:
    """The notebook that formgrader shows, read-only as nbgrader's own are."""
    made = gradebook.notebook(handout, sources, record)
    pages.write(folder / f"{record['assignment']}.ipynb", notebooks.text(made), 0o444)
    write_timestamp(folder, stamp)


def write_timestamp(folder: Path, stamp: datetime | None) -> None:
    """timestamp.txt as it is in submitted/: for formgrader, what differs needs grading again."""
    if stamp is None:
        (folder / lateness.TIMESTAMP).unlink(missing_ok=True)
    else:
        pages.write(folder / lateness.TIMESTAMP, f"{stamp.isoformat(' ')} UTC\n", 0o444)
