"""nbgrader on our grading: its real gradebook, its real converters, no kernel."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from datetime import datetime

import nbformat
import pytest
from nbgrader import api
from nbgrader.apps.api import NbGraderAPI
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.converters.base import NbGraderException
from nbgrader.preprocessors import Execute

from autograder import (
    bookkeeper,
    feedback,
    grade,
    gradebook,
    handout,
    lateness,
    ledger,
    nbgrader_bridge,
    sandbox,
)
from autograder.classroom import Classroom
from autograder.errors import CourseError

ID = "01_tiny"
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader
EVIL = (
    "<script>alert(1)</script> \x1b[31m \u202e </pre></code> "
    "$$</script>$$\n\n<img src=x onerror=alert(2)>"
)


def record(assignment, student, failed=None, **changes):
    """A record in which the checks named in ``failed`` (id -> tag, message) failed."""
    rows = []
    for c in assignment.checks:
        tag, message = (failed or {}).get(c.id, ("", ""))
        row = {
            "check": c.id, "hole": c.hole, "title": c.title, "points": 0.0 if tag else c.points,
            "max_points": c.points, "status": "failed" if tag else "passed", "tag": tag,
            "message": message, "hint": "A hint." if tag else "", "visibility": c.visibility,
            "seconds": 0.01, "note": "", "replay": f"autograder check --only {c.id}" if tag else "",
        }  # fmt: skip
        rows.append(row)
    made = {
        "key": student, "student": student, "assignment": assignment.id, "digest": "0" * 64,
        "sandbox": "bubblewrap", "seconds": 0.2, "notes": [], "results": rows,
    }  # fmt: skip
    return made | changes


@pytest.fixture(scope="module")
def released(tmp_path_factory, tiny, tiny_course):
    """A course folder in which the tiny assignment is released."""
    root = tmp_path_factory.mktemp("course") / "spring"
    nbgrader_bridge.init(root, tiny_course.root)
    Classroom(root).make_secret()
    source = handout.source_notebook(tiny.handout, tiny.reference.sources)
    nbgrader_bridge.release(root, ID, source)
    return root


@pytest.fixture
def spring(released, tmp_path):
    """A copy of it to do with as one likes."""
    return shutil.copytree(released, tmp_path / "spring")


@pytest.fixture
def hand_in(spring, write_notebook, tiny_sources):
    def write(student, solution="reference", edit=None):
        path = spring / "submitted" / student / ID / f"{ID}.ipynb"
        return write_notebook(path, tiny_sources[solution], edit)

    return write


@pytest.fixture
def autograde(spring, monkeypatch):
    """``nbgrader autograde --force`` in this process; a kernel would be a failure."""

    def no_kernel(*_):
        raise AssertionError("a kernel was started")

    monkeypatch.setattr(Execute, "preprocess", no_kernel)
    # The attacks of the sandbox on itself have their own tests and take a second.
    monkeypatch.setattr(nbgrader_bridge, "_ready", lambda _: sandbox.choose().name)

    def run():
        coursedir = nbgrader_bridge._course(spring)
        coursedir.assignment_id = ID
        app = Autograde(coursedir=coursedir, config=coursedir.config)
        app.force = True
        app.start()

    return run


def everything(root):
    """Every row of every table, as one can compare it."""
    with sqlite3.connect(root / "gradebook.db") as db:
        names = [n for (n,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {n: sorted(map(repr, db.execute(f'SELECT * FROM "{n}"'))) for n in names}


def autograded(root, student):
    path = root / "autograded" / student / ID / f"{ID}.ipynb"
    return nbformat.read(path, as_version=4)


def test_init_makes_a_whole_gradebook_where_no_command_is_on_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    made = nbgrader_bridge.init(tmp_path / "c")
    assert "gradebook.db" in made
    assert everything(tmp_path / "c")["alembic_version"] == [
        f"('{nbgrader_bridge._schema_version()}',)"
    ]
    assert nbgrader_bridge.scores(tmp_path / "c", ID) == {}


def test_a_gradebook_that_a_failed_alembic_left_half_is_completed(tmp_path):
    root = tmp_path / "c"
    root.mkdir()
    api.Base.metadata.create_all(bind=api.create_engine(f"sqlite:///{root}/gradebook.db"))
    assert "alembic_version" not in everything(root)
    assert "gradebook.db" in nbgrader_bridge.init(root)
    assert len(everything(root)["alembic_version"]) == 1


def test_init_keeps_what_is_there(released, spring):
    (spring / "nbgrader_config.py").write_text("c = get_config()\n# mine\n")
    before = everything(spring)
    assert nbgrader_bridge.init(spring) == []
    assert (spring / "nbgrader_config.py").read_text().endswith("# mine\n")
    assert everything(spring) == before


def test_the_released_notebook_is_the_students_one_and_holds_no_solution(released, tiny):
    notebook = nbformat.read(released / "release" / ID / f"{ID}.ipynb", as_version=4)
    want = handout.student_notebook(tiny.handout)
    assert [c.source for c in notebook.cells] == [c.source for c in want.cells]
    assert [c.id for c in notebook.cells] == [c.id for c in want.cells]
    assert "SOLUTION" not in nbformat.writes(notebook)


def test_releasing_again_is_harmless_and_files_come_along(spring, tiny, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.txt").write_text("x")
    source = handout.source_notebook(tiny.handout, tiny.reference.sources)
    nbgrader_bridge.write_gradebook(spring, ID, [record(tiny, "ada")], tiny.handout)
    path = nbgrader_bridge.release(spring, ID, source, tmp_path / "data")
    assert (path.parent / "data" / "x.txt").read_text() == "x"
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 6.0}


def test_a_release_that_nbgrader_refuses_says_why(spring, tiny):
    nbgrader_bridge.write_gradebook(spring, ID, [record(tiny, "ada")], tiny.handout)
    source = handout.source_notebook(tiny.handout, tiny.reference.sources)
    del source.cells[-1]
    with pytest.raises(CourseError, match="Cannot add or remove cells"):
        nbgrader_bridge.release(spring, ID, source)


def test_the_gradebook_says_what_the_records_say(spring, hand_in, tiny):
    hand_in("ada")
    wrong = {"center_rows": ("no-mean", "token 0: got 1, want 2")}
    rows = [record(tiny, "ada"), record(tiny, "bob", wrong)]
    assert nbgrader_bridge.write_gradebook(spring, ID, rows, tiny.handout) == 2
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 6.0, "bob": 4.0}
    with api.Gradebook(f"sqlite:///{spring}/gradebook.db") as book:
        assert book.find_grade("check_center", ID, ID, "bob").auto_score == 1.0
        assert not book.find_submission(ID, "bob").needs_manual_grade
        assert book.find_comment("center", ID, ID, "ada").comment is None
        comment = book.find_comment("center", ID, ID, "bob").comment
        exported = {s["student"]: s["score"] for s in book.submission_dicts(ID)}
    assert "No response." in comment  # bob's notebook is not there, so his hole is the stub
    assert exported == nbgrader_bridge.scores(spring, ID)


def test_writing_again_changes_nothing(spring, hand_in, tiny):
    hand_in("ada", "no_mean")
    rows = [record(tiny, "ada", {"center_rows": ("no-mean", "no")}), record(tiny, "bob")]
    nbgrader_bridge.write_gradebook(spring, ID, rows, tiny.handout)
    before = everything(spring), nbformat.writes(autograded(spring, "ada"))
    nbgrader_bridge.write_gradebook(spring, ID, iter(rows), tiny.handout)
    assert (everything(spring), nbformat.writes(autograded(spring, "ada"))) == before


def test_a_humans_score_and_comment_stay_and_a_new_score_asks_again(spring, tiny):
    nbgrader_bridge.write_gradebook(spring, ID, [record(tiny, "ada")], tiny.handout)
    with api.Gradebook(f"sqlite:///{spring}/gradebook.db") as book:
        book.find_grade("check_center", ID, ID, "ada").manual_score = 2.5
        book.find_comment("center", ID, ID, "ada").manual_comment = "Fine."
        book.db.commit()
    nbgrader_bridge.write_gradebook(spring, ID, [record(tiny, "ada")], tiny.handout)
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 5.5}
    changed = record(tiny, "ada", {"center_dtype": ("wrong-dtype", "")})
    for _ in range(2):
        nbgrader_bridge.write_gradebook(spring, ID, [changed], tiny.handout)
        with api.Gradebook(f"sqlite:///{spring}/gradebook.db") as book:
            found = book.find_grade("check_center", ID, ID, "ada")
            assert (found.auto_score, found.score, found.needs_manual_grade) == (2.0, 2.5, True)
            assert book.find_comment("center", ID, ID, "ada").comment == "Fine."


def test_more_students_than_a_batch_are_all_written(spring, tiny):
    names = [f"s{i:03d}" for i in range(ledger.BATCH + 7)]
    rows = (record(tiny, name) for name in names)
    assert nbgrader_bridge.write_gradebook(spring, ID, rows, tiny.handout) == len(names)
    assert nbgrader_bridge.scores(spring, ID) == dict.fromkeys(names, 6.0)


def test_an_assignment_that_is_not_released_or_has_other_points_is_refused(spring, tiny):
    with pytest.raises(CourseError, match="autograder release"):
        nbgrader_bridge.write_gradebook(spring, "02_other", [], tiny.handout)
    other = record(tiny, "ada")
    other["results"][0]["max_points"] = 9.0
    with pytest.raises(CourseError, match="release it again"):
        nbgrader_bridge.write_gradebook(spring, ID, [other], tiny.handout)
    assert nbgrader_bridge.scores(spring, ID) == {}


def test_the_light_way_to_the_gradebook_does_not_import_nbgrader(spring, tiny):
    (spring / "record.json").write_text(json.dumps(record(tiny, "ada")))
    code = (
        "import json, sys; from autograder import bookkeeper, catalog\n"
        "course, root = sys.argv[1:]\n"
        "handout = catalog.find_course(course).assignment('01_tiny').handout\n"
        "records = [json.load(open(root + '/record.json'))]\n"
        "written = bookkeeper.write(root, '01_tiny', records, handout)\n"
        "assert (written.n, written.due) == (1, False)\n"
        "assert 'nbgrader' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tiny.root), str(spring)], check=True)
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 6.0}


def test_without_a_gradebook_one_is_told_how_to_get_it(tmp_path, tiny):
    with pytest.raises(CourseError, match="autograder init"):
        bookkeeper.write(tmp_path, ID, [record(tiny, "ada")], tiny.handout)


def test_an_autograded_notebook_is_ours_with_the_students_holes(spring, hand_in, tiny):
    def edit(notebook):
        notebook["cells"].insert(0, {"cell_type": "code", "source": "import os", "metadata": {}})
        notebook["cells"][4]["source"] = "pass  # check('center')"
        notebook["cells"][4]["metadata"]["tags"] = ["skip-execution"]
        notebook["metadata"]["kernelspec"] = {"name": "evil"}

    hand_in("ada", "no_mean", edit)
    failed = record(tiny, "ada", {"center_rows": ("no-mean", EVIL)})
    nbgrader_bridge.write_gradebook(spring, ID, [failed], tiny.handout)
    made, plain = autograded(spring, "ada"), handout.student_notebook(tiny.handout)
    sources = [c.source for c in made.cells]
    assert sources[2].endswith("return x * weight\n")
    del sources[2], sources[3]
    assert sources == [c.source for c in plain.cells if c.id not in ("center", "Tally")]
    assert [c.metadata for c in made.cells] == [c.metadata for c in plain.cells]
    assert made.metadata == plain.metadata
    outputs = made.cells[3].outputs[0].data
    assert "1 of 2 checks passed, 1 of 3 points" in outputs["text/plain"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &lt;U+001B&gt;" in outputs["text/html"]
    for text in outputs.values():
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in outputs["text/html"]
    assert "<img" not in outputs["text/html"]
    path = spring / "autograded" / "ada" / ID / f"{ID}.ipynb"
    assert path.stat().st_mode & 0o777 == 0o444


def test_a_comment_is_an_indented_block_and_stamps_what_had_no_sandbox(tiny):
    failed = record(tiny, "ada", {"center_rows": ("no-mean", EVIL)}, sandbox="none")
    said = gradebook.comment(failed, "center", "def center(): ...", tiny.handout.stubs["center"])
    head, rest = said.split("\n\n", 2)[:2], said.split("\n\n", 2)[2]
    assert head[0].startswith("UNSANDBOXED")
    assert head[1] == "1 of 3 points, 1 of 2 checks passed."
    assert all(line.startswith("    ") or not line for line in rest.splitlines())
    assert "no-mean" in rest
    assert "<" not in rest
    assert "\x1b" not in rest


def test_nbgrader_autograde_runs_our_grading_and_no_kernel(spring, hand_in, autograde, tiny):
    def doubled(notebook):  # a check cell given twice stops nbgrader's own grading of the class
        notebook["cells"].append(notebook["cells"][3] | {"id": "again"})

    hand_in("ada", "loops", doubled)
    hand_in("bob", "no_mean")
    hand_in("cy", "stub")
    autograde()
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 6.0, "bob": 4.0, "cy": 0.0}
    known = Classroom(spring).results(ID)
    assert {r["student"] for r in known} == {"ada", "bob", "cy"}
    with api.Gradebook(f"sqlite:///{spring}/gradebook.db") as book:
        assert "no-mean" in book.find_comment("center", ID, ID, "bob").comment
        assert book.find_comment("center", ID, ID, "cy").comment == "No response."
    assert "1 of 2 checks passed" in autograded(spring, "bob").cells[3].outputs[0].data["text/html"]


def test_both_ways_to_the_gradebook_write_the_same(spring, hand_in, autograde, tiny):
    hand_in("bob", "wrong_axis")
    autograde()
    first = everything(spring), nbformat.writes(autograded(spring, "bob"))
    records = Classroom(spring).results(ID)
    nbgrader_bridge.write_gradebook(spring, ID, records, tiny.handout)
    assert (everything(spring), nbformat.writes(autograded(spring, "bob"))) == first


def test_autograde_does_not_grade_again_what_is_known(spring, hand_in, autograde, monkeypatch):
    hand_in("ada")
    autograde()

    def again(*_, **__):
        raise AssertionError("graded again")

    monkeypatch.setattr(grade, "judge", again)
    autograde()
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 6.0}


@pytest.mark.parametrize("place", ["file", "notebook", "assignment", "student"])
def test_a_link_in_a_submission_is_refused_and_the_class_goes_on(
    spring, hand_in, autograde, tiny, place
):
    own = hand_in("mallory").parent
    hand_in("ada")
    if place == "file":
        (own / "notes.txt").symlink_to(spring / "gradebook.db")
    else:
        part = {"notebook": own / f"{ID}.ipynb", "assignment": own, "student": own.parent}[place]
        kept = part.rename(spring / "kept")
        part.symlink_to(kept)
    with pytest.raises(NbGraderException):
        autograde()
    assert nbgrader_bridge.scores(spring, ID)["ada"] == 6.0
    assert not (spring / "autograded" / "mallory" / ID).exists()
    nbgrader_bridge.write_gradebook(spring, ID, [record(tiny, "mallory")], tiny.handout)
    assert os.listdir(spring / "autograded" / "mallory" / ID) == [f"{ID}.ipynb"]
    sources = [c.source for c in autograded(spring, "mallory").cells]
    wanted = handout.student_notebook(tiny.handout).cells
    assert place == "file" or sources == [c.source for c in wanted]


@pytest.mark.parametrize("spoil", [
    lambda p: p.write_text("tomorrow"), os.mkfifo, lambda p: p.symlink_to("/dev/zero"),
    lambda p: p.write_text("2026-02-02 10:00:00 UTC"), lambda p: None, os.mkdir,
])  # fmt: skip
@pytest.mark.parametrize("light", [True, False])
def test_formgrader_lists_a_class_whatever_a_timestamp_says(
    spring, hand_in, autograde, tiny, spoil, light
):
    spoil(hand_in("mallory").parent / "timestamp.txt")
    hand_in("ada")
    if light:
        rows = [record(tiny, s) for s in ("ada", "mallory")]
        nbgrader_bridge.write_gradebook(spring, ID, rows, tiny.handout)
    else:
        with contextlib.suppress(NbGraderException):  # a pipe or a link, for one of them
            autograde()
    coursedir = nbgrader_bridge._course(spring)
    listed = NbGraderAPI(coursedir, config=coursedir.config).get_submissions(ID)
    status = {row["student"]: row["autograded"] for row in listed}
    assert status["ada"]
    assert set(status) == {"ada", "mallory"}
    hand_in("ada", "loops")  # again, later
    os.utime(spring / "submitted" / "ada" / ID / f"{ID}.ipynb", (1, 1))
    lateness.write_times(spring, ID, {"ada": datetime(2030, 1, 1)})
    again = NbGraderAPI(coursedir, config=coursedir.config).get_submissions(ID)
    assert not next(row["autograded"] for row in again if row["student"] == "ada")


def test_a_pipe_in_a_submission_does_not_hang_the_class(spring, hand_in, autograde):
    os.mkfifo(hand_in("mallory").parent / "pipe")
    with pytest.raises(NbGraderException):
        autograde()


@pytest.fixture
def generate_feedback(spring):
    """``nbgrader generate_feedback``, which formgrader's button runs with force."""

    def run(force=True):
        coursedir = nbgrader_bridge._course(spring)
        coursedir.assignment_id = ID
        app = GenerateFeedback(coursedir=coursedir, config=coursedir.config)
        app.force = force
        app.start()

    return run


def test_nbgraders_own_feedback_command_writes_our_page(spring, hand_in, tiny, generate_feedback):
    hand_in("ada", "no_mean")
    failed = record(tiny, "ada", {"center_rows": ("no-mean", EVIL)})
    Classroom(spring).results(ID).append(failed)
    nbgrader_bridge.write_gradebook(spring, ID, [failed], tiny.handout)
    how = {"hints": tiny.hints, "title": tiny.handout.title}
    feedback.write(spring, ID, [failed], **how)
    path = spring / "feedback" / "ada" / ID / f"{ID}.html"
    ours = path.read_text()
    generate_feedback()
    assert path.read_text() == ours
    assert "4</b><span>of 6 points" in ours
    assert "<script" not in ours
    assert "<img" not in ours


def test_no_file_of_a_submission_gets_into_feedback(spring, hand_in, autograde, generate_feedback):
    own = hand_in("mallory", "no_mean").parent
    (own / "page.html").write_text("<script>alert(1)</script>")
    (own / f"{ID}.html").write_text("<script>alert(1)</script>")
    (own / "timestamp.txt").write_text("2026-02-02 10:00:00 UTC\n<script>alert(1)</script>")
    autograde()
    generate_feedback()
    files = [p for p in (spring / "feedback").rglob("*") if p.is_file()]
    assert {p.name for p in files} == {f"{ID}.html"}
    assert not any("<script" in p.read_text() for p in files)


def test_a_hidden_check_shows_its_idea_and_no_value_in_nbgraders_feedback(
    spring, hand_in, autograde, generate_feedback, tiny
):
    own = hand_in("ada", "first_name").parent
    assert (own / f"{ID}.ipynb").exists()
    autograde()
    generate_feedback()
    html = (spring / "feedback" / "ada" / ID / f"{ID}.html").read_text()
    row = next(r for r in Classroom(spring).results(ID).get("ada")["results"]
               if r["check"] == "tally_counts")  # fmt: skip
    assert (row["status"], row["tag"], row["visibility"]) == ("failed", "first-name", "hidden")
    part = html[html.index("counts add up") :]
    part = re.sub(r"<[^>]*>", " ", part[: part.index("of equals the first")])
    assert tiny.hints["first-name"].title in part
    assert "--only tally_counts" in part
    for value in ("want", "got", "&#39;z&#39;", "most()"):
        assert value not in part


@pytest.mark.parametrize("command", ["ours", "nbgrader's"])
def test_the_exchange_finds_what_it_releases_a_page_by(
    spring, hand_in, tiny, generate_feedback, command
):
    own = hand_in("ada").parent
    (own / "submission_secret.txt").write_text("0123456789abcdef")
    (own / "timestamp.txt").write_text("2026-02-02 10:00:00.5 UTC\n")
    made = record(tiny, "ada")
    Classroom(spring).results(ID).append(made)
    nbgrader_bridge.write_gradebook(spring, ID, [made], tiny.handout)
    feedback.write(spring, ID, [made]) if command == "ours" else generate_feedback()
    folder = spring / "feedback" / "ada" / ID
    assert (folder / "submission_secret.txt").read_text() == "0123456789abcdef"
    assert (folder / "timestamp.txt").read_text() == "2026-02-02 10:00:00.5 UTC"


def test_a_students_words_are_escaped_and_a_humans_are_shown(
    spring, hand_in, tiny, generate_feedback
):
    hand_in("ada", "no_mean")
    failed = record(tiny, "ada", {"center_rows": ("no-mean", "got 1")})
    Classroom(spring).results(ID).append(failed)
    nbgrader_bridge.write_gradebook(spring, ID, [failed], tiny.handout)
    with api.Gradebook(f"sqlite:///{spring}/gradebook.db") as book:
        grade_ = book.find_grade("check_center", ID, ID, "ada")
        grade_.manual_score, grade_.extra_credit = 2.5, 0.5
        book.find_comment("center", ID, ID, "ada").manual_comment = "Nearly! <b>See me</b>"
        book.db.commit()
    generate_feedback()
    html = (spring / "feedback" / "ada" / ID / f"{ID}.html").read_text()
    assert "1 by the checks, 2.5 by hand" in html
    assert "0.5 points of extra credit" in html
    assert "Nearly! &lt;b&gt;See me&lt;/b&gt;" in html
    assert "<b>6</b><span>of 6 points" in html  # 2.5 + 0.5 of the center, 3 of the tally
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 6.0}


def test_feedback_for_whom_there_is_no_result_says_what_to_run(
    spring, hand_in, tiny, generate_feedback, caplog
):
    hand_in("ada")
    nbgrader_bridge.write_gradebook(spring, ID, [record(tiny, "ada")], tiny.handout)
    with pytest.raises(NbGraderException):
        generate_feedback()
    assert "run `autograder grade 01_tiny` first" in caplog.text


def test_a_name_that_leads_out_of_the_folder_is_refused(spring, tiny):
    with pytest.raises(CourseError, match="no name for a folder"):
        nbgrader_bridge.write_gradebook(spring, ID, [record(tiny, "../x")], tiny.handout)


def test_the_configuration_is_a_python_file_that_names_our_steps(released):
    text = json.dumps(nbgrader_bridge._course(released).config)
    for step in ("Rebuild", "Grade", "SaveResults"):
        assert f"autograder.nbgrader_bridge.{step}" in text
