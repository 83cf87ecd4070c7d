"""Hostile folders, each alone and all of them in the middle of an honest class.

Each gets its honest marks and no more, nothing outside it changes, the honest ones beside it get
all of theirs, and no page, table or export shows a secret or lets a student's text act.
"""

from __future__ import annotations

import hashlib
import os
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from autograder import bookkeeper, grade, handout, nbgrader_bridge, sandbox
from autograder.classroom import Classroom
from autograder.cli.main import app
from tests.autograder.effects import SECRET
from tests.autograder.hostile_folders import FOLDERS, build

ID = "01_tiny"
GRADED = [name for name, row in FOLDERS.items() if row.honest is not None]
HONEST = ("aaa_honest", "honest", "zzz_honest")
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader


class Markup(HTMLParser):
    """The tags of a page, its attributes' names, and its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def course(tmp_path_factory, tiny, tiny_course, tiny_sources):
    """A course with all rows and three honest students, nothing graded yet."""
    root = tmp_path_factory.mktemp("hostile") / "spring"
    nbgrader_bridge.init(root, tiny_course.root)
    Classroom(root).make_secret()
    source = handout.source_notebook(tiny.handout, tiny.reference.sources)
    nbgrader_bridge.release(root, ID, source)

    def write(path, sources):
        path.parent.mkdir(parents=True)
        path.write_text(bookkeeper.notebooks.text(handout.fill(tiny.handout, sources)))

    students = build(root, write, tiny_sources)
    for name in HONEST:
        write(root / "submitted" / name / ID / f"{ID}.ipynb", tiny_sources["reference"])
    return root, students


@pytest.fixture(scope="module")
def grader(course, tiny):
    """One warm sandbox for those graded alone."""
    job = grade.Job(tiny.root, tiny.id, Classroom(course[0]).secret(), sandbox.choose().name)
    with grade.Grader(job) as grader:
        yield grader


@pytest.fixture(scope="module")
def graded(course, tiny):
    """The whole class through the commands an instructor types; what they said."""
    root, _ = course
    before = outside(root)
    where = ["1", "--dir", str(root), "--course", str(tiny.root)]
    said = []
    for words in (["grade", *where, "--jobs", "2"], ["feedback", *where], ["report", *where]):
        ran = CliRunner().invoke(app, words, terminal_width=200)
        expected = 1 if words[0] == "grade" else 0  # two cannot be graded
        assert ran.exit_code == expected, ran.output + repr(ran.exception)
        said.append(ran.output)
    assert outside(root) == before
    return "\n".join(said)


def outside(root: Path) -> dict[str, str]:
    """All that no submission may change: the course's own files, litter in shared folders."""
    kept = [*(root / "source").rglob("*"), *(root / "release").rglob("*")]
    kept += [root / "nbgrader_config.py", root / ".autograder" / "secret"]
    found = {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in kept if p.is_file()}
    found |= {n: "litter" for n in os.listdir("/tmp") if n.startswith("autograder-pickle")}
    return found


def test_no_folder_has_the_name_of_an_exploit_in_code():
    files = {p.stem for p in (Path(__file__).parent / "exploits").glob("*.py")}
    assert not files & set(FOLDERS)  # one table shows both


@pytest.mark.parametrize("name", GRADED)
def test_alone_it_gets_its_honest_marks(course, grader, name):
    root, students = course
    student = students[name]
    paths = Classroom(root).submissions(ID)
    record = grader(grade.Task(student, paths[student]))
    assert grade.score.mark(record).points == FOLDERS[name].honest
    assert SECRET not in str(record)


@pytest.mark.parametrize("name", GRADED)
def test_in_a_class_it_gets_its_honest_marks(course, graded, name):
    root, students = course
    record = Classroom(root).results(ID).get(students[name])
    assert grade.score.mark(record).points == FOLDERS[name].honest


def test_the_honest_ones_get_all_of_theirs_and_the_gradebook_agrees(course, graded):
    root, students = course
    scores = nbgrader_bridge.scores(root, ID)
    for name in HONEST:
        assert scores[name] == 6.0
    assert len(scores) == len(GRADED) + len(HONEST)
    for name in GRADED:
        assert scores[students[name]] == FOLDERS[name].honest


def test_a_folder_that_is_no_students_is_named_with_what_to_do(graded):
    for words in ("200 characters, a gradebook takes 128", "is not UTF-8: rename the folder"):
        assert words in " ".join(graded.split())


def test_what_is_printed_drives_no_terminal(graded):
    assert "\x1b" not in graded
    assert "\u202e" not in graded
    assert "aaa_honest" in graded


def test_no_page_lets_a_students_text_act(course, graded):
    root, _ = course
    pages = [*(root / "feedback").rglob("*.html"), *(root / "reports").rglob("*.html")]
    assert len(pages) > len(FOLDERS)
    for path in pages:
        html = path.read_text()
        found = Markup(html)
        assert not found.tags & {"script", "img", "iframe", "object", "link", "base"}, path
        assert not {a for a in found.attributes if a.startswith("on")}, path
        assert "Content-Security-Policy" in html
        assert "\x1b" not in html


def test_nothing_secret_gets_into_what_students_or_others_see(course, graded):
    root, _ = course
    secret = (root / ".autograder" / "secret").read_text().strip()
    for folder in ("feedback", "autograded", "reports"):
        for path in (root / folder).rglob("*"):
            assert not path.is_symlink()
            if path.is_file():
                text = path.read_bytes()
                assert secret.encode() not in text, path
                assert b"SQLite format" not in text, path


def test_nbgraders_commands_hold_as_well(course, graded, tiny, monkeypatch):
    """Its own autograde and feedback on the same class; its own export of the names."""
    root, _ = course
    before = nbgrader_bridge.scores(root, ID)
    monkeypatch.setattr(nbgrader_bridge, "_ready", lambda _: sandbox.choose().name)
    for converter in (nbgrader_bridge.Autograde, nbgrader_bridge.GenerateFeedback):
        coursedir = nbgrader_bridge._course(root)
        coursedir.assignment_id = ID
        run = converter(coursedir=coursedir, config=coursedir.config)
        run.force = True
        with pytest.raises(nbgrader_bridge.NbGraderException):  # those it refuses, at the end
            run.start()
    after = nbgrader_bridge.scores(root, ID)
    assert {s: after[s] for s in before} == before
    test_no_page_lets_a_students_text_act(course, graded)
    test_nothing_secret_gets_into_what_students_or_others_see(course, graded)
