"""Answers that a human marks: in the notebook, in the gradebook, in the mark, in feedback."""

from __future__ import annotations

import json
import shutil

import pytest
from nbgrader import api
from nbgrader.converters import Autograde

from autograder import (
    catalog,
    exports,
    feedback,
    finals,
    gradebook,
    gradescope,
    handout,
    ledger,
    nbgrader_bridge,
    report,
    roster,
    score,
)
from autograder import grade as grading
from autograder import submission as submissions
from autograder.classroom import Classroom
from autograder.errors import CourseError
from tests.autograder.conftest import TINY

ID, STUB = "01_tiny", "YOUR ANSWER HERE"
ANSWERED = '\n# %% [markdown]\n# Say why.\n\n# %% answer="why" points="4"\n# YOUR ANSWER HERE\n'
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader


@pytest.fixture(scope="module")
def course_text(tmp_path_factory):
    """The tiny course with a question that a human marks."""
    root = tmp_path_factory.mktemp("text") / "tiny"
    shutil.copytree(TINY, root)
    with (root / "assignments" / ID / "handout.py").open("a") as file:
        file.write(ANSWERED)
    return catalog.find_course(root)


@pytest.fixture(scope="module")
def asked(course_text):
    return course_text.assignment(ID)


@pytest.fixture(scope="module")
def released(tmp_path_factory, asked, course_text):
    root = tmp_path_factory.mktemp("answers") / "spring"
    nbgrader_bridge.init(root, course_text.root)
    Classroom(root).make_secret()
    source = handout.source_notebook(asked.handout, asked.reference.sources)
    nbgrader_bridge.release(root, ID, source)
    return root


@pytest.fixture
def spring(released, tmp_path):
    root = tmp_path / "spring"
    shutil.copytree(released, root)
    return root


def hand_in(root, assignment, student, answer):
    """A right notebook with this answer."""
    made = handout.fill(assignment.handout, {**assignment.reference.sources, "why": answer})
    path = root / "submitted" / student / ID / f"{ID}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(made), encoding="utf-8")
    return path


def graded(root, assignment, student, answer):
    """Hand in, grade, write the gradebook -> (auto, by hand, asks a human) of the answer."""
    path = hand_in(root, assignment, student, answer)
    job = grading.Job(assignment.root, ID, b"0" * 32, grading.ready())
    record = grading.Grader(job)(grading.Task(student, path))
    nbgrader_bridge.write_gradebook(root, ID, [record], assignment.handout)
    return record, standing(root, student)


def standing(root, student):
    with nbgrader_bridge._open(nbgrader_bridge._course(root)) as book:
        row = book.find_grade("why", ID, ID, student)
        return row.auto_score, row.manual_score, row.needs_manual_grade


def mark_by_hand(root, student, points, words=""):
    """What formgrader does."""
    with nbgrader_bridge._open(nbgrader_bridge._course(root)) as book:
        row = book.find_grade("why", ID, ID, student)
        row.manual_score, row.needs_manual_grade = points, False
        book.find_comment("why", ID, ID, student).manual_comment = words
        book.db.commit()


def test_the_released_notebook_has_a_manually_graded_answer(released):
    notebook = json.loads((released / "release" / ID / f"{ID}.ipynb").read_text())
    (cell,) = [c for c in notebook["cells"] if c["metadata"]["nbgrader"]["grade_id"] == "why"]
    about = cell["metadata"]["nbgrader"]
    assert cell["cell_type"] == "markdown"
    assert (about["grade"], about["solution"], about["locked"]) == (True, True, False)
    assert (about["points"], "".join(cell["source"])) == (4, STUB)


def test_an_answer_is_read_by_its_id_and_written_to_before_one_that_is_not(asked, tmp_path):
    made = json.loads(json.dumps(handout.fill(asked.handout, {"why": "Because."})))
    (mine,) = [c for c in made["cells"] if c["id"] == "why"]
    made["cells"].insert(0, {**mine, "id": "copy", "source": STUB})
    path = tmp_path / "a" / "b" / "x.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(made))
    found = submissions.read(path, asked.handout)
    assert found.answers == {"why": "Because."}
    assert "why" not in found.holes
    assert submissions.read(path, asked.handout).digest == found.digest


def test_the_most_points_are_those_of_checks_and_answers(asked, tiny):
    assert asked.max_points == tiny.max_points + 4


def test_an_answer_left_as_it_was_gets_nothing_and_asks_nobody(spring, asked):
    record, row = graded(spring, asked, "ada", STUB)
    assert row == (0, None, False)
    assert score.mark(record).max_points == asked.max_points
    assert score.mark(record).points == asked.max_points - 4


def test_an_answer_waits_for_a_human_whose_points_count_and_stay(spring, asked):
    record, row = graded(spring, asked, "ada", "Because.")
    assert row == (None, None, True)
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 6.0}
    mark_by_hand(spring, "ada", 3.0, "Why not?")
    nbgrader_bridge.write_gradebook(spring, ID, [record], asked.handout)
    assert standing(spring, "ada") == (None, 3, False)
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 9.0}


def test_another_answer_asks_a_human_again(spring, asked):
    graded(spring, asked, "ada", STUB)
    assert graded(spring, asked, "ada", "Because.")[1] == (None, None, True)
    mark_by_hand(spring, "ada", 3.0)
    assert graded(spring, asked, "ada", "Because.")[1] == (None, 3, False)
    assert graded(spring, asked, "ada", "Because of that.")[1] == (None, 3, True)
    assert graded(spring, asked, "ada", STUB)[1] == (0, 3, True)


def test_a_changed_answer_alone_makes_a_new_record_and_runs_no_check(spring, asked):
    before, _ = graded(spring, asked, "ada", "Because.")
    path = hand_in(spring, asked, "ada", "Because of that.")
    job = grading.Job(asked.root, ID, b"0" * 32, grading.ready())
    after = grading.Grader(job)(grading.Task("ada", path, before))
    assert (after["ran"], after["results"]) == (0, before["results"])
    assert grading.Grader(job)(grading.Task("ada", path, after)) is None


def test_nbgraders_own_autograde_asks_a_human_too(spring, asked, monkeypatch):
    for student, answer in (("ada", "Because."), ("bob", STUB)):
        hand_in(spring, asked, student, answer)
    coursedir = nbgrader_bridge._course(spring)
    coursedir.assignment_id = ID
    app = Autograde(coursedir=coursedir, config=coursedir.config)
    app.start()
    assert standing(spring, "ada") == (None, None, True)
    assert standing(spring, "bob") == (0, None, False)
    with nbgrader_bridge._open(nbgrader_bridge._course(spring)) as book:
        waiting = book.db.query(api.Grade).filter(api.Grade.needs_manual_grade).count()
    assert waiting == 1
    notebook = (spring / "autograded" / "ada" / ID / f"{ID}.ipynb").read_text()
    assert "Because." in notebook


def test_feedback_says_what_a_human_gave_or_that_nobody_has_yet(spring, asked):
    record, _ = graded(spring, asked, "ada", "Because.")
    find = nbgrader_bridge.bookkeeper.standing
    waiting = feedback.page(record, standing=find(spring, ID, ["ada"])["ada"])
    assert "none are given yet" in waiting
    mark_by_hand(spring, "ada", 3.0, "<b>Why</b> not?")
    page = feedback.page(record, standing=find(spring, ID, ["ada"])["ada"])
    assert "3 of 4 points by hand" in page
    assert "&lt;b&gt;Why&lt;/b&gt; not?" in page
    assert "<b>9</b>" in page
    assert "of 10 points" in page


def test_gradescope_says_which_points_are_not_in_its_score(spring, asked):
    record, _ = graded(spring, asked, "ada", "Because.")
    alone = gradescope.results(record)  # as in the container there: no human has marked anything
    assert alone["score"] == 6
    assert "not in this score: points by hand for why (4 at most)" in alone["output"]
    assert alone["extra_data"]["waits_for_human"] is True
    people = roster.load(spring)
    for find, source in (
        (lambda: finals.of_records(ID, "Tiny", asked.max_points, [record], people), "results"),
        (lambda: finals.of_gradebook(spring, ID, "Tiny", [record], people), "gradebook"),
    ):
        made = json.loads(exports.of_gradescope(find(), exports.About())["ada"])
        assert (made["score"], "not in this score" in made["output"]) == (6, True), source
    mark_by_hand(spring, "ada", 3.0)
    whole = finals.of_gradebook(spring, ID, "Tiny", [record], people)
    made = json.loads(exports.of_gradescope(whole, exports.About())["ada"])
    assert made["score"] == 9
    assert made["output"] == "in this score: points by hand for why (4 at most)"
    assert made["extra_data"]["waits_for_human"] is False


def test_results_alone_wait_for_a_human_in_every_export(asked, spring):
    record, _ = graded(spring, asked, "ada", "Because.")
    found = finals.of_records(ID, "Tiny", asked.max_points, [record], roster.load(spring))
    (row,) = json.loads(exports.as_json(found, exports.About()))["students"]
    assert (row["points"], row["max_points"], row["waits_for_human"]) == (6, 10, True)
    assert json.loads(exports.lti(found, exports.About())["ada"])["gradingProgress"] == (
        "PendingManual"
    )


def test_the_zip_says_how_many_points_it_gives(asked, course_text, spring, command):
    said = ["gradescope", "1", "--dir", spring, "-o", spring / "a.zip", "--course"]
    printed = command(*said, course_text.root)
    assert "6 points" in printed
    assert "not in its score: 4 points by hand for why" in printed
    made = json.loads(command(*said, course_text.root, "--json"))
    assert (made["points"], made["by_hand"]) == (6, {"why": 4})


def test_the_report_counts_a_humans_points_and_says_who_waits(spring, asked):
    records = [graded(spring, asked, s, a)[0] for s, a in (("ada", "Because."), ("bob", "Why?"))]

    def page():
        found = nbgrader_bridge.bookkeeper.standing(spring, ID, ["ada", "bob"])
        return report.write(spring, ID, records, spring / "r.html", standings=found).read_text()

    html = page()
    assert "<dt>points to get</dt><dd>10<small>, 4 by hand</small></dd>" in html
    assert "<dt>mean</dt><dd>60.0" in html
    assert "2 of 2 submissions wait for a human" in html
    mark_by_hand(spring, "ada", 4.0)
    html = page()
    assert "<dt>mean</dt><dd>80.0" in html
    assert "<dt>full marks</dt><dd>1<" in html
    assert "1 of 2 submissions wait for a human" in html
    mark_by_hand(spring, "bob", 0.0)
    assert "wait for a human" not in page()
    alone = report.write(spring, ID, records, spring / "r.html").read_text()
    assert "2 of 2 submissions wait for a human" in alone


def test_the_table_of_marks_says_what_is_not_in_it(asked, course_text, spring, command):
    hand_in(spring, asked, "ada", "Because.")
    printed = command("grade", "1", "--dir", spring, "--course", course_text.root)
    assert "6/10" in printed
    assert "4 points by hand for why are not in these marks" in printed


def test_what_the_gradebook_shows_has_the_answer(asked):
    made = gradebook.notebook(asked.handout, {"why": "Because."}, None)
    assert [c.source for c in made.cells if c.id == "why"] == ["Because."]


@pytest.mark.parametrize(
    ("value", "manual", "needs", "changed", "want"),
    [
        (None, None, False, False, (None, True)),
        (None, 3.0, False, False, (None, False)),
        (None, 3.0, False, True, (None, True)),
        (0.0, None, True, False, (0.0, False)),
        (0.0, 3.0, False, True, (0.0, True)),
    ],
)
def test_when_a_human_is_asked(value, manual, needs, changed, want):
    assert ledger.asked(value, manual, needs, changed) == want


@pytest.mark.parametrize(
    "line", ['# %% answer="why"', '# %% answer="why" points="0"', '# %% hole="why" points="2"']
)
def test_points_stand_with_an_answer_and_nowhere_else(tmp_path, line):
    folder = tmp_path / "01_x"
    folder.mkdir()
    path = folder / "handout.py"
    path.write_text(
        f"# %% [markdown]\n# # X\n\n{line}\ndef why():\n    raise NotImplementedError\n"
    )
    with pytest.raises(CourseError, match="points of"):
        handout.parse(path)
