"""The one door to nbgrader: its course folder, its gradebook, and our grading inside its commands.

    init -> folders, nbgrader_config.py, gradebook.db     release -> nbgrader generate_assignment
    write_gradebook -> scores, comments, autograded/      scores -> what the gradebook says

``nbgrader autograde`` and formgrader's button run Rebuild, Grade and SaveResults (below), because
nbgrader_config.py names them: of a submission only the sources of its holes are looked at, and no
student's code runs in a kernel; for ``nbgrader generate_feedback`` it names feedback_exporter.py.
Owns: every import of nbgrader, its configuration, the meaning of
its schema's making. Must not know: how a verdict arises. Read before: bookkeeper.py, grade.py;
nbgrader 0.9's own ``api.py`` and ``converters/autograde.py`` for what is hooked into here.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from autograder import notebooks  # before nbgrader, which imports nbformat

# isort: split
from nbgrader import api
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.dbutil import ALEMBIC_DIR
from nbgrader.plugins import BasePlugin
from nbgrader.preprocessors import AssignLatePenalties, NbGraderPreprocessor, SaveAutoGrades
from nbgrader.utils import capture_log
from traitlets import Bool, Enum, Float, Unicode

from autograder import (
    bookkeeper,
    catalog,
    feedback,
    grade,
    gradebook,
    lateness,
    ledger,
    pages,
    submission,
)
from autograder.catalog import Assignment
from autograder.classroom import Classroom
from autograder.errors import CourseError
from autograder.handout import Handout
from autograder.notebooks import NotebookNode
from autograder.results import Record

DEFAULT_DB = "# c.CourseDirectory.db_url = 'postgresql+psycopg://USER@HOST/DATABASE'"
FOLDERS = ("source", "release", "submitted", "autograded", "feedback")


def init(course_dir: Path | str, course: Path | str | None = None, db: str = "") -> list[str]:
    """Make nbgrader's folders, configuration and gradebook for ``course_dir``; keep what is there.

    ``course`` is the course's text (assignments/ and so on) where it is not the one that
    ``catalog.find_course`` finds; ``db`` is the gradebook's URL, gradebook.db in the folder without
    it. Returns what was made, in words. CourseError where the settings name another gradebook.
    """
    root = Path(course_dir).resolve()
    # SQLAlchemy takes these for psycopg2, which is another package than psycopg
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", db)
    config, made = root / bookkeeper.CONFIG, []
    if url and not config.exists():  # before anything is written that names it
        ledger.complete(url, api.Base.metadata, _schema_version)
    for folder in FOLDERS:
        if not (root / folder).is_dir():
            (root / folder).mkdir(parents=True)
            made.append(f"{folder}/")
    if not config.exists():
        slug = re.sub(r"[^A-Za-z0-9_-]+", "-", root.name).strip("-") or "course"
        where = str(Path(course).resolve()) if course else ""
        said = pages.TEMPLATES.joinpath("nbgrader_config.py.txt").read_text(encoding="utf-8")
        line = f"c.CourseDirectory.db_url = {url!r}" if url else DEFAULT_DB
        for name, value in (("@SLUG@", repr(slug)), ("@COURSE@", repr(where)), ("@DB@", line)):
            said = said.replace(name, value)
        # the URL may hold a password
        pages.write(config, said, 0o600 if url else 0o644)
        made.append(bookkeeper.CONFIG)
    coursedir = _course(root)
    if url and coursedir.db_url != url:
        raise CourseError(
            f"{config} names another gradebook: change c.CourseDirectory.db_url there"
        )
    if _make_database(coursedir):
        made.append("gradebook.db")
    return made


def release(
    course_dir: Path | str,
    assignment: str,
    source_notebook: NotebookNode,
    files: Path | None = None,
) -> Path:
    """Run nbgrader's own generate_assignment on our source notebook; returns the students' one.

    ``files`` is a folder whose contents students get beside the notebook. Repeatable. CourseError
    with nbgrader's own log where it refuses (cells added or removed after submissions came in).
    """
    root = Path(course_dir).resolve()
    pages.one_name(assignment)
    source = root / "source" / assignment
    source.mkdir(parents=True, exist_ok=True)
    if files is not None:
        shutil.copytree(files, source / files.name, dirs_exist_ok=True)
    notebooks.write(source_notebook, source / f"{assignment}.ipynb")
    coursedir = _course(root)
    _make_database(coursedir)
    coursedir.assignment_id = assignment
    with _on_path():
        app = GenerateAssignment(coursedir=coursedir, config=coursedir.config)
        app.force = True
        done = capture_log(app)
    if not done["success"]:
        said = done.get("log", "") or done.get("error", "")
        raise CourseError(f"{assignment}: nbgrader generate_assignment failed:\n{said.strip()}")
    return root / "release" / assignment / f"{assignment}.ipynb"


def write_gradebook(
    course_dir: Path | str,
    assignment: str,
    records: Iterable[Record],
    handout: Handout,
    *,
    submitted: Mapping[str, datetime] | None = None,
) -> int:
    """``bookkeeper.write``, and the late penalties where there is a due date; how many records."""
    _make_database(_course(course_dir))
    written = bookkeeper.write(course_dir, assignment, records, handout, submitted=submitted)
    if written.due:
        penalize(course_dir, assignment)
    return written.n


def scores(course_dir: Path | str, assignment: str) -> dict[str, float]:
    """student -> points, as nbgrader exports them: a human's score first, less the late penalty."""
    with _open(_course(course_dir)) as book:
        found = book.db.query(
            api.SubmittedAssignment.student_id,
            api.SubmittedAssignment.score,
            api.SubmittedAssignment.late_submission_penalty,
        ).join(api.Assignment)
        found = found.filter(api.Assignment.name == assignment)
        return {s: max(0.0, (got or 0.0) - (late or 0.0)) for s, got, late in found}


def penalize(course_dir: Path | str, assignment: str) -> None:
    """Late penalties of an assignment by nbgrader's own plugin, as its configuration says."""
    coursedir = _course(course_dir)
    step = AssignLatePenalties(config=coursedir.config)
    step.init_plugin()
    with _open(coursedir) as book:
        for one in book.find_assignment(assignment).submissions:
            for notebook in one.notebooks if one.total_seconds_late > 0 else ():
                penalty = step.plugin_inst.late_submission_penalty(
                    one.student_id, notebook.score, one.total_seconds_late
                )
                if penalty is not None:
                    notebook.late_submission_penalty = min(max(penalty, 0.0), notebook.score)
        book.db.commit()


def set_due(course_dir: Path | str, assignment: str, due: datetime | None) -> None:
    """The due date of an assignment in UTC, None for none; penalties are reckoned anew."""
    with _open(_course(course_dir)) as book:
        book.find_assignment(assignment).duedate = due
        book.db.commit()


def guard() -> None:
    """Make nbgrader refuse what it would copy, open or believe; nbgrader_config.py calls this.

    nbgrader copies every file of a submission to autograded/ and feedback/ and follows links, so a
    link to gradebook.db would end up in a student's feedback; a timestamp.txt that is damaged or a
    pipe stops formgrader for all, and decides what is late. No setting reaches these methods.
    """
    if getattr(Autograde.init_assignment, "guarded", False):
        return
    plain = Autograde.init_assignment

    def init_assignment(self: Autograde, assignment_id: str, student_id: str) -> None:
        folder = Path(self._format_source(assignment_id, student_id))
        refuse_odd_files(folder)
        when = came_in(self.coursedir, assignment_id, student_id)
        self.coursedir.get_existing_timestamp = lambda _: when
        try:
            plain(self, assignment_id, student_id)
        finally:
            del self.coursedir.get_existing_timestamp
        dest = Path(self._format_dest(assignment_id, student_id))
        bookkeeper.write_timestamp(dest, lateness.timestamp(folder / lateness.TIMESTAMP))

    def init_feedback(self: GenerateFeedback, assignment: str, student: str) -> None:
        places, dest = self.coursedir, Path(self._format_dest(assignment, student))
        dest.mkdir(parents=True, exist_ok=True)
        handed_in = places.format_path(places.submitted_directory, student, assignment)
        feedback.receipts(Path(handed_in), dest)

    def get_existing_timestamp(self: CourseDirectory, dest_path: str) -> datetime | None:
        return lateness.timestamp(Path(dest_path, lateness.TIMESTAMP))

    def get_submitted_timestamp(self: NbGraderAPI, assignment: str, student: str) -> Any:
        # formgrader compares it with the gradebook's: what came in later needs grading again
        return came_in(self.coursedir, assignment, student)

    init_assignment.guarded = True
    Autograde.init_assignment, GenerateFeedback.init_assignment = init_assignment, init_feedback
    CourseDirectory.get_existing_timestamp = get_existing_timestamp
    NbGraderAPI.get_submitted_timestamp = get_submitted_timestamp


def came_in(coursedir: CourseDirectory, assignment: str, student: str) -> datetime | None:
    """When a submission came in, as lateness.py says."""
    folder = coursedir.format_path(coursedir.submitted_directory, student, assignment)
    clock = bookkeeper.clock_of(Path(coursedir.root), assignment)
    return clock.when(student, Path(folder, f"{assignment}.ipynb"))


def refuse_odd_files(folder: Path) -> None:
    """NbGraderException where a submission's folder is or holds a link, a pipe, a device."""
    for path in (folder.parent, folder, *sorted(folder.rglob("*"))):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "neither file nor folder"
            raise NbGraderException(f"{path} is {kind}; it was not graded")


class FromCourse(NbGraderPreprocessor):
    """What Rebuild and Grade share: where the assignment and the student's notebook are."""

    course = Unicode("", help="the course's folder; found by itself if empty").tag(config=True)

    def assignment(self, resources: Mapping[str, Any]) -> Assignment:
        return _assignment(self.course, resources["nbgrader"]["assignment"])

    def root(self) -> Path:
        return Path(self.parent.parent.coursedir.root)  # preprocessor <- exporter <- converter

    def submitted(self, resources: Mapping[str, Any]) -> Path:
        about, coursedir = resources["nbgrader"], self.parent.parent.coursedir
        folder = coursedir.format_path(
            coursedir.submitted_directory, about["student"], about["assignment"]
        )
        return Path(folder, f"{about['notebook']}.ipynb")


class Rebuild(FromCourse):
    """First step of autograde: our own cells, with the student's sources in the holes."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        path, handout = self.submitted(resources), self.assignment(resources).handout
        refuse_odd_files(path.parent)
        found = submission.read(path, handout)
        theirs = dict(found.holes) | dict(found.answers)
        return gradebook.notebook(handout, theirs, None), resources


class Grade(FromCourse):
    """In the place of Execute: grade in the sandbox, write what the checks said under them."""

    allow_unsandboxed = Bool(False, help="grade even where no sandbox works").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        assignment, student = self.assignment(resources), resources["nbgrader"]["student"]
        classroom = Classroom(self.root())
        known = classroom.results(assignment.id)
        job = grade.Job(
            assignment.root, assignment.id, classroom.secret(), _ready(self.allow_unsandboxed)
        )
        task = grade.Task(student, self.submitted(resources), known.latest(student))
        record = grade.Grader(job)(task)
        if record is None:
            record = known.get(student)
        else:
            known.append(record)
        resources["autograder"] = record
        return gradebook.show(nb, record), resources


class SaveResults(SaveAutoGrades):
    """In the place of SaveAutoGrades: points and comments from the record, not from outputs."""

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        name = cell.metadata.nbgrader["grade_id"]
        row = self.gradebook.find_grade(name, self.notebook_id, self.assignment_id, self.student_id)
        if cell.metadata.nbgrader["solution"]:  # an answer, which a human reads
            stub = self.gradebook.find_source_cell(name, self.notebook_id, self.assignment_id)
            value = 0.0 if cell.source.split() == stub.source.split() else None
            want = ledger.asked(value, row.manual_score, row.needs_manual_grade, changed=True)
        else:
            value, most = gradebook.points(resources["autograder"])[name]
            ledger.same_points(name, row.max_score, most)
            before = row.auto_score, row.manual_score, row.needs_manual_grade
            want = ledger.graded(value, *before)
        row.auto_score, row.needs_manual_grade = want
        self.gradebook.db.commit()

    def _add_comment(self, cell: NotebookNode, resources: Any) -> None:
        name = cell.metadata.nbgrader["grade_id"]
        where = (name, self.notebook_id, self.assignment_id, self.student_id)
        stub = self.gradebook.find_source_cell(*where[:3]).source
        text = gradebook.comment(resources["autograder"], name, cell.source, stub)
        self.gradebook.find_comment(*where).auto_comment = text
        self.gradebook.db.commit()


class LatePolicy(BasePlugin):
    """nbgrader's way to ask for the penalty; what it is stands in lateness.py."""

    method = Enum(lateness.METHODS, "none", help="none, per_day, or zero points").tag(config=True)
    grace_hours = Float(0.0, help="hours after the due date that cost nothing").tag(config=True)
    per_day = Float(10.0, help="percent of the points for each day begun").tag(config=True)
    cap = Float(100.0, help="percent of the points that are lost at most").tag(config=True)
    clock = Enum(lateness.CLOCKS, "collected", help="what tells the time").tag(config=True)

    def late_submission_penalty(self, _student: str, score: float, late_s: float) -> float:
        return lateness.Policy.of(self.config).penalty(score or 0.0, late_s)


def _course(course_dir: Path | str) -> CourseDirectory:
    """nbgrader's view of the folder, as its own commands get it from nbgrader_config.py."""
    root = Path(course_dir).resolve()
    return CourseDirectory(root=str(root), config=bookkeeper.settings(root))


@contextmanager
def _open(coursedir: CourseDirectory) -> Iterator[api.Gradebook]:
    _make_database(coursedir)
    with api.Gradebook(coursedir.db_url, coursedir.course_id) as book:
        if coursedir.db_url.startswith("sqlite"):
            # formgrader may be writing at the same time; SQLite's own patience is 5 s
            book.db.connection().exec_driver_sql("PRAGMA busy_timeout = 60000")
        yield book


def _make_database(coursedir: CourseDirectory) -> bool:
    """Make the gradebook whole; False where it is.

    nbgrader itself makes the tables first and then asks the command ``alembic`` for the number of
    its schema; here Python is asked.
    """
    return ledger.complete(coursedir.db_url, api.Base.metadata, _schema_version)


def _schema_version() -> str:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(ALEMBIC_DIR).get_current_head()


def _path() -> str:
    """PATH with the folder of this Python's own commands in it."""
    own = str(Path(sys.executable).parent)
    parts = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(parts if own in parts else [own, *parts])


@contextmanager
def _on_path() -> Iterator[None]:
    before = os.environ.get("PATH")
    os.environ["PATH"] = _path()
    try:
        yield
    finally:
        os.environ.pop("PATH") if before is None else os.environ.update(PATH=before)


@cache
def _assignment(course: str, name: str) -> Assignment:
    return catalog.find_course(course or None).assignment(name)


@cache
def _ready(allow_unsandboxed: bool) -> str:
    """The sandbox, after its attacks on itself; once a process."""
    return grade.ready(allow_unsandboxed)
