"""SQLite and PostgreSQL hold the same gradebook; writers take turns; a human's work stays."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest
import sqlalchemy
from nbgrader import api
from nbgrader.plugins import CsvExportPlugin

from autograder import bookkeeper, handout, ledger, nbgrader_bridge, standings
from autograder.classroom import Classroom
from autograder.errors import CourseError, NotInGradebook
from tests.autograder import postgres

ID = "01_tiny"
WHEN = datetime(2026, 1, 2, 3, 4, 5)
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # of nbgrader
needs_postgres = pytest.mark.skipif(
    postgres.programs() is None, reason="Debian's package postgresql is not installed"
)


def record(assignment, student, failed=()):
    """A record in which the checks named fail."""
    rows = [
        {
            "check": c.id, "hole": c.hole, "title": c.title, "hint": "", "seconds": 0.0,
            "points": 0.0 if c.id in failed else c.points, "max_points": c.points, "note": "",
            "status": "failed" if c.id in failed else "passed", "message": "\x00 got 1",
            "tag": "no-mean" if c.id in failed else "", "visibility": c.visibility, "replay": "",
        }
        for c in assignment.checks
    ]  # fmt: skip
    return {
        "key": student, "student": student, "assignment": assignment.id, "digest": "0" * 64,
        "sandbox": "bubblewrap", "seconds": 0.2, "notes": [], "results": rows,
    }  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with postgres.server() as url:
        yield url


@pytest.fixture
def database(server):
    """An empty database of its own on the server."""
    engine = ledger.connected(server.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("DROP DATABASE IF EXISTS spring WITH (FORCE)")
        connection.exec_driver_sql("CREATE DATABASE spring")
    engine.dispose()
    return server.replace("/postgres?", "/spring?")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgres)])
def spring(request, tmp_path, tiny, tiny_course):
    """A course with the tiny assignment released, in either kind of gradebook."""
    url = request.getfixturevalue("database") if request.param == "postgresql" else ""
    return course(tmp_path / "spring", tiny, tiny_course, url)


def course(root, tiny, tiny_course, url=""):
    nbgrader_bridge.init(root, tiny_course.root, db=url)
    Classroom(root).make_secret()
    source = handout.source_notebook(tiny.handout, tiny.reference.sources)
    nbgrader_bridge.release(root, ID, source)
    return root


def opened(root):
    return nbgrader_bridge._open(nbgrader_bridge._course(root))


def by_hand(root, student, points, extra, words):
    """What formgrader does when a human grades."""
    with opened(root) as book:
        found = book.find_grade("check_center", ID, ID, student)
        found.manual_score, found.extra_credit, found.needs_manual_grade = points, extra, False
        book.find_comment("center", ID, ID, student).manual_comment = words
        book.db.commit()


def exported(root, to):
    """nbgrader's own export."""
    with opened(root) as book:
        CsvExportPlugin(to=str(to)).export(book)
    return to.read_text()


def lived(root, tiny):
    """A term's life: graded, a human's marks, a due date, graded again, a stranger more."""
    names = ["ada", "Bob", "bob", "Zoë ' \" %", "x" * 128]
    first = [record(tiny, n, ["center_rows"][: i % 2]) for i, n in enumerate(names)]
    submitted = dict.fromkeys(names, WHEN)
    nbgrader_bridge.write_gradebook(root, ID, first, tiny.handout, submitted=submitted)
    by_hand(root, "ada", 2.5, 0.25, "Fine.")
    config = root / "nbgrader_config.py"
    config.write_text(config.read_text() + "c.LatePolicy.method = 'per_day'\n")
    nbgrader_bridge.set_due(root, ID, datetime(2026, 1, 1, 3, 4, 4))
    second = [record(tiny, n, ["tally_ties"][: i % 3]) for i, n in enumerate([*names, "new"])]
    submitted["new"] = WHEN
    nbgrader_bridge.write_gradebook(root, ID, second, tiny.handout, submitted=submitted)


@needs_postgres
def test_both_databases_give_the_same_export(tmp_path, tiny, tiny_course, database):
    texts = []
    for name, url in (("sqlite", ""), ("postgresql", database)):
        root = course(tmp_path / name, tiny, tiny_course, url)
        lived(root, tiny)
        texts.append(sorted(exported(root, tmp_path / f"{name}.csv").splitlines()))
        texts.append(nbgrader_bridge.scores(root, ID))
        texts.append(bookkeeper.standing(root, ID, texts[-1]))
    assert texts[:3] == texts[3:]
    assert len(texts[0]) == 7
    assert texts[1]["ada"] == pytest.approx((2.5 + 0.25 + 3) * 0.8)  # two days begun
    print("\n".join(texts[0]))


def test_a_humans_points_words_and_extra_credit_survive_a_regrade(spring, tiny):
    nbgrader_bridge.write_gradebook(spring, ID, [record(tiny, "ada")], tiny.handout)
    by_hand(spring, "ada", 1.5, 0.5, "See me.")
    for failed in ((), ("center_dtype",), ("center_rows", "center_dtype"), ()):
        again = record(tiny, "ada", failed)
        nbgrader_bridge.write_gradebook(spring, ID, [again], tiny.handout)
        with opened(spring) as book:
            found = book.find_grade("check_center", ID, ID, "ada")
            assert (found.manual_score, found.extra_credit, found.score) == (1.5, 0.5, 2.0)
            assert book.find_comment("center", ID, ID, "ada").manual_comment == "See me."
    assert nbgrader_bridge.scores(spring, ID) == {"ada": 5.0}
    standing = bookkeeper.standing(spring, ID, ["ada"])["ada"]
    assert standing == standings.Standing(
        5.0, 0.0, 0.0, {"center": 1.5}, {"center": 0.5}, {"center": "See me."}, waits=True
    )  # the points of the checks changed, so that the human is to look again
    assert not standing.plain


def test_a_standing_is_what_nbgrader_exports(spring, tiny):
    lived(spring, tiny)
    scores = nbgrader_bridge.scores(spring, ID)
    found = bookkeeper.standing(spring, ID, [*scores, "nobody"])
    assert {s: v.score for s, v in found.items()} == scores


def test_writers_that_start_together_take_turns(spring, tiny):
    names = [f"s{i:02d}" for i in range(40)]
    rows = [ledger.row(record(tiny, n), tiny.handout, {}, WHEN) for n in names]
    url = bookkeeper.url(spring, bookkeeper.settings(spring))
    barrier, errors = threading.Barrier(3), []

    def write():
        try:
            with ledger.opened(url, ID) as book:
                barrier.wait()
                book.write(rows)
                book.settle()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert nbgrader_bridge.scores(spring, ID) == dict.fromkeys(names, 6.0)
    with opened(spring) as book:
        assert book.db.query(api.SubmittedNotebook).count() == len(names)
        assert book.db.query(api.Grade).count() == 2 * len(names)


def test_a_write_that_fails_leaves_nothing_behind(spring, tiny):
    rows = [record(tiny, "ada"), record(tiny, "x" * 129)]
    with pytest.raises(CourseError, match="129 characters, a gradebook takes 128"):
        nbgrader_bridge.write_gradebook(spring, ID, rows, tiny.handout)
    assert nbgrader_bridge.scores(spring, ID) == {}


def test_the_version_of_the_schema_is_written_once(spring):
    assert nbgrader_bridge.init(spring) == []
    with opened(spring) as book:
        found = book.db.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).all()
    assert found == [(nbgrader_bridge._schema_version(),)]


def test_an_assignment_without_a_gradebook_has_no_standings(spring, tmp_path):
    assert bookkeeper.standing(spring, "02_other", ["ada"]) == {}
    assert bookkeeper.standing(tmp_path / "nowhere", ID, ["ada"]) == {}
    with pytest.raises(NotInGradebook):
        bookkeeper.write(tmp_path / "nowhere", ID, [], None)


def test_a_settings_file_that_names_another_gradebook_is_not_overruled(spring):
    with pytest.raises(CourseError, match="names another gradebook"):
        nbgrader_bridge.init(spring, db="postgresql://else@where/grades")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "is no URL of a database"),
        ("postgresql://grader:hunter2@/x?host=/nowhere", r"grader:\*\*\*@.* cannot be used now"),
    ],
)
def test_a_database_that_does_not_answer_is_said_without_its_password(tmp_path, url, words):
    with pytest.raises(CourseError, match=words) as caught:
        nbgrader_bridge.init(tmp_path / "c", db=url)
    assert "hunter2" not in str(caught.value)
    assert not (tmp_path / "c").exists()  # so that the next try is a first one


@needs_postgres
def test_settings_that_may_hold_a_password_are_its_owners_alone(tmp_path, database):
    nbgrader_bridge.init(tmp_path / "c", db=database)
    assert (tmp_path / "c" / "nbgrader_config.py").stat().st_mode & 0o077 == 0


def test_a_driver_that_is_missing_is_named(tmp_path):
    with pytest.raises(CourseError, match=r"missing for oracle.*minengine\[postgres\]"):
        nbgrader_bridge.init(tmp_path / "c", db="oracle+cx_oracle://u@h/x")
