"""Collecting: archives as the learning systems lay them out, and as attackers do."""

from __future__ import annotations

import contextlib
import csv
import getpass
import io
import json
import os
import stat
import struct
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import archive, collection, lateness, layouts, pages, roster
from autograder.collection import Wishes, collect
from autograder.errors import CourseError
from autograder.roster import Person, Roster

ID = "01_tiny"
TINY = ["--course", str(Path(__file__).parent / "tiny")]
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
ADA = Person(
    "ada", "Ada", "Lovelace", "ada@x.edu", "ada", "s1", "1001", participant="Participant 7"
)
BOB = Person("bob", "Bob", "O'Neil Ünal", "bob@x.edu", "bob", "s2", "1002")
CLASS = Roster([ADA, BOB])


def book(word: str) -> bytes:
    """A notebook that differs from others by a word."""
    return json.dumps({"cells": [], "metadata": {"word": word}, "nbformat": 4}).encode()


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return path


def laid(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture
def room(tmp_path):
    return tmp_path / "spring"


def taken(room: Path) -> dict[str, str]:
    """Student -> the word of the notebook in submitted/."""
    paths = room.glob(f"submitted/*/{ID}/{ID}.ipynb")
    return {p.parts[-3]: json.loads(p.read_bytes())["metadata"]["word"] for p in paths}


GRADESCOPE = {
    "submission_91": {
        ":submitters": [{":name": "Ada Lovelace", ":sid": "s1", ":email": "ada@x.edu"}],
        ":created_at": "2026-01-31 10:00:00.123456000 Z",
        ":score": 0.0,
        ":status": "processed",
    },
    "submission_92": {
        ":submitters": [{":name": "Bob", ":email": "bob@x.edu"}],
        ":created_at": datetime(2026, 1, 30, 10, tzinfo=UTC),
    },
}
SYSTEMS = {
    "canvas": {
        "lovelaceada_1001_501_01_tiny.ipynb": book("old"),
        "lovelaceada_1001_555_01_tiny-1.ipynb": book("ada"),
        "oneilunalbob_LATE_1002_556_01_tiny.ipynb": book("bob"),
    },
    "moodle": {
        "Ada Lovelace_7_assignsubmission_file_/01_tiny.ipynb": book("ada"),
        "Bob O'Neil Ünal_8_assignsubmission_file_/my work.ipynb": book("bob"),
    },
    "gradescope": {
        "assignment_5_export/submission_metadata.yml": yaml.safe_dump(GRADESCOPE).encode(),
        "assignment_5_export/submission_91/01_tiny.ipynb": book("ada"),
        "assignment_5_export/submission_92/x.ipynb": book("bob"),
    },
    "exchange": {
        "inbound/ada+01_tiny+2026-01-30 08:00:00.1 UTC+cXJz/01_tiny.ipynb": book("old"),
        "inbound/ada+01_tiny+2026-01-31 08:00:00.1 UTC+YWJj/01_tiny.ipynb": book("ada"),
        "inbound/ada+01_tiny+2026-01-31 08:00:00.1 UTC+YWJj/timestamp.txt": b"2020-01-01",
        "inbound/ada+02_other+2026-01-31 08:00:00.1 UTC+YWJj/02_other.ipynb": book("other"),
        "inbound/bob+01_tiny+2026-01-31 08:00:00.1 UTC/01_tiny.ipynb": book("bob"),
    },
    "folder": {
        "ada.ipynb": book("old"),
        "ada (2).ipynb": book("ada"),
        "bob@x.edu/anything.ipynb": book("bob"),
    },
}


@pytest.mark.parametrize("kind", ["zip", "folder"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_each_system_s_layout_is_recognised_and_its_newest_attempts_are_taken(
    room, tmp_path, system, kind
):
    files = SYSTEMS[system]
    source = packed(tmp_path / "s.zip", files) if kind == "zip" else laid(tmp_path / "s", files)
    made = collect(room, ID, source, CLASS, Wishes(now=NOON, any_owner=True))
    assert (made.layout, made.problems) == (system, [])
    assert taken(room) == {"ada": "ada", "bob": "bob"}
    assert {t.student: t.attempts for t in made.taken} == {
        "ada": 2 if system in ("canvas", "exchange", "folder") else 1,
        "bob": 1,
    }
    assert [t.late for t in made.taken] == [False, system == "canvas"]
    again = collect(room, ID, source, CLASS, Wishes(any_owner=True))
    assert [t.state for t in again.taken] == ["unchanged", "unchanged"]
    assert collection.attempts(room, ID)["ada"] == made.taken[0].attempts


def test_without_a_roster_the_source_names_students(room, tmp_path):
    for system, names in {
        "canvas": {"lovelaceada_1001", "oneilunalbob_1002"},
        "moodle": {"Ada_Lovelace_7", "Bob_O'Neil_Ünal_8"},
        "gradescope": {"ada@x.edu", "bob@x.edu"},
        "folder": {"ada", "bob@x.edu"},
    }.items():
        source = packed(tmp_path / f"{system}.zip", SYSTEMS[system])
        collect(room / system, ID, source, Roster(()))
        assert set(taken(room / system)) == names


def test_the_time_is_the_instructors_or_the_systems_never_the_students(room, tmp_path):
    files = {"ada/01_tiny.ipynb": book("a"), "ada/timestamp.txt": b"2001-01-01 00:00:00 UTC"}
    collect(room, ID, laid(tmp_path / "s", files), CLASS, Wishes(now=NOON))
    at = room / "submitted" / "ada" / ID
    assert (at / "timestamp.txt").read_text() == "2026-02-01 12:00:00 UTC\n"
    assert (at / f"{ID}.ipynb").stat().st_mtime == NOON.timestamp()
    assert lateness.times_path(room, ID).read_text().split() == [
        *("student,time", "ada,2026-02-01", "12:00:00", "UTC")
    ]


def test_a_systems_own_clock_counts_and_a_wish_overrides_it(room, tmp_path):
    source = packed(tmp_path / "g.zip", SYSTEMS["gradescope"])
    for when, text in {
        "auto": "2026-01-31 10:00:00.123456",
        "now": "2026-02-01 12:00:00",
        datetime(2026, 1, 1, tzinfo=UTC): "2026-01-01 00:00:00",
    }.items():
        collect(room, ID, source, CLASS, Wishes(when=when, now=NOON, force=True))
        stamp = room / "submitted" / "ada" / ID / "timestamp.txt"
        assert stamp.read_text() == f"{text} UTC\n"


def test_the_time_in_an_exchange_folders_name_counts_only_on_wish(room, tmp_path):
    source = laid(tmp_path / "s", SYSTEMS["exchange"])
    for when, right in (("source", True), ("auto", True), ("now", False)):
        made = collect(
            room, ID, source, CLASS, Wishes(when=when, now=NOON, any_owner=True, force=True)
        )
        changed = datetime.fromtimestamp(
            (source / next(iter(SYSTEMS["exchange"]))).stat().st_ctime, UTC
        )
        assert (made.taken[0].when[:16] == changed.isoformat(" ")[:16]) == right


def test_what_nbgraders_own_submit_hands_in_is_collected(room, tmp_path):
    exchange, home = tmp_path / "exchange", tmp_path / "home"
    (exchange / "c" / "inbound").mkdir(parents=True)
    exchange.chmod(0o777)
    (exchange / "c" / "inbound").chmod(0o733)
    for place in (exchange / "c" / "outbound", home):
        laid(place, {f"{ID}/{ID}.ipynb": book("submitted")})
    where = f"c.Exchange.root = {str(exchange)!r}\nc.Exchange.cache = {str(tmp_path / 'cache')!r}\n"
    (home / "nbgrader_config.py").write_text(f"c = get_config()\n{where}")
    subprocess.run(
        [sys.executable, "-m", "nbgrader", "submit", ID, "--course", "c"],
        cwd=home, env={**os.environ, "HOME": str(home)}, check=True, capture_output=True,
    )  # fmt: skip
    made = collect(room, ID, exchange, Roster(()))
    assert (made.layout, made.skipped, made.problems) == ("exchange", [], [])
    assert taken(room) == {getpass.getuser(): "submitted"}


def test_an_exchange_folder_of_another_user_is_not_taken_unasked(room, tmp_path):
    source = laid(tmp_path / "s", SYSTEMS["exchange"])
    made = collect(room, ID, source, CLASS)
    assert taken(room) == {}
    assert "says it is ada's and belongs to" in made.problems[0]
    assert "--any-owner" in made.problems[0]


def test_times_stay_when_the_same_work_is_collected_again(room, tmp_path):
    source = packed(tmp_path / "s.zip", {"ada.ipynb": book("a")})
    collect(room, ID, source, CLASS, Wishes(now=NOON))
    before = lateness.times_path(room, ID).read_text()
    collect(room, ID, source, CLASS)
    assert lateness.times_path(room, ID).read_text() == before


def test_a_newer_attempt_replaces_and_an_older_archive_does_not(room, tmp_path):
    first = packed(tmp_path / "1.zip", {"ada.ipynb": book("first")})
    second = packed(tmp_path / "2.zip", {"ada.ipynb": book("second")})
    states = [collect(room, ID, s, CLASS).taken[0].state for s in (first, second, first)]
    assert states == ["new", "newer", "older"]
    assert taken(room) == {"ada": "second"}
    assert collect(room, ID, first, CLASS, Wishes(force=True)).taken[0].state == "newer"
    assert taken(room) == {"ada": "first"}


def test_a_return_to_an_earlier_version_is_newer_where_the_system_knows_the_time(room, tmp_path):
    for day, word in enumerate(("first", "second", "first"), 1):
        row = GRADESCOPE["submission_91"] | {":created_at": datetime(2026, 1, day, tzinfo=UTC)}
        files = {
            "e/submission_metadata.yml": yaml.safe_dump({f"submission_{day}": row}).encode(),
            f"e/submission_{day}/x.ipynb": book(word),
        }
        made = collect(room, ID, packed(tmp_path / f"{day}.zip", files), CLASS)
    assert made.taken[0].state == "newer"
    assert taken(room) == {"ada": "first"}
    assert "2026-01-03 00:00:00" in lateness.times_path(room, ID).read_text()
    assert collect(room, ID, tmp_path / "2.zip", CLASS).taken[0].state == "older"
    assert taken(room) == {"ada": "first"}


@pytest.mark.parametrize("place", [f"ada/{ID}/{ID}.ipynb/x", "ada"])
def test_what_stands_in_the_way_is_one_students_problem(room, tmp_path, place):
    laid(room, {f"submitted/{place}": b"x"})
    files = {"ada.ipynb": book("a"), "bob.ipynb": book("b")}
    made = collect(room, ID, packed(tmp_path / "z.zip", files), CLASS)
    assert made.problems[0].startswith("ada: ")
    assert json.loads((room / f"submitted/bob/{ID}/{ID}.ipynb").read_bytes()) is not None
    assert [t.student for t in made.taken] == ["bob"]


def test_a_notebook_that_was_not_collected_is_replaced_only_by_force(room, tmp_path):
    laid(room, {f"submitted/ada/{ID}/{ID}.ipynb": book("by hand")})
    source = packed(tmp_path / "s.zip", {"ada.ipynb": book("zip")})
    made = collect(room, ID, source, CLASS)
    assert "--force" in made.problems[0]
    assert taken(room) == {"ada": "by hand"}
    collect(room, ID, source, CLASS, Wishes(force=True))
    assert taken(room) == {"ada": "zip"}


def test_a_dry_run_changes_nothing(room, tmp_path):
    source = packed(tmp_path / "s.zip", {"ada.ipynb": book("a")})
    made = collect(room, ID, source, CLASS, Wishes(dry_run=True))
    assert made.taken[0].state == "new"
    assert not room.exists()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"eve.ipynb": book("e")}, "eve is not in the roster"),
        ({"ada/a.ipynb": book("1"), "ada/b.ipynb": book("2")}, "which one counts cannot be told"),
        ({"ada.ipynb": book("1"), "ada@x.edu.ipynb": book("2")}, "cannot be told"),
    ],
)
def test_whose_or_which_it_is_is_never_guessed(room, tmp_path, files, words):
    made = collect(room, ID, packed(tmp_path / "z.zip", files), CLASS)
    assert words in made.problems[0]
    assert taken(room) == {}


@pytest.mark.parametrize("name", ["=cmd()", "-rf", "@x", ".hidden", "a+b", "tab\tx"])
def test_a_name_that_is_no_folders_is_not_taken(room, tmp_path, name):
    made = collect(room, ID, packed(tmp_path / "z.zip", {f"{name}.ipynb": book("x")}), Roster(()))
    assert "cannot be a student's folder" in made.problems[0]
    assert taken(room) == {}


def test_the_log_has_no_formula(room, tmp_path):
    source = packed(tmp_path / "z.zip", {"ada/=1+1.ipynb": book("x"), "=a/b.ipynb": book("y")})
    collect(room, ID, source, CLASS)
    (row,) = csv.reader(collection.log_path(room, ID).read_text().splitlines()[1:])
    assert not [cell for cell in row if cell.startswith(pages.FORMULA)]
    assert row[-2] == "ada/=1+1.ipynb"


def test_a_name_that_two_have_matches_nobody_and_names_both():
    twins = Roster([Person("a1", "Ann", "Lee"), Person("a2", "Ann", "Lee", email="ann@x.edu")])
    match = twins.match({"name": "leeann"})
    assert match.person is None
    assert "a1 or a2" in match.why
    assert twins.match({"name": "leeann", "email": "ANN@x.edu"}).person.student == "a2"


def test_keys_that_name_two_persons_match_nobody():
    assert CLASS.match({"lms_id": "1001", "email": "bob@x.edu"}).person is None


def test_a_copys_number_counts_only_beside_its_original(room, tmp_path):
    files = {"ada.ipynb": book("1"), "ada-1.ipynb": book("2"), "team-1.ipynb": book("3")}
    collect(room, ID, packed(tmp_path / "z.zip", files), Roster(()))
    assert taken(room) == {"ada": "2", "team-1": "3"}


def test_a_folder_around_all_is_seen_through(room, tmp_path):
    files = {"z/ada.ipynb": book("a"), "z/bob.ipynb": book("b"), "__MACOSX/z/._ada.ipynb": b"x"}
    made = collect(room, ID, packed(tmp_path / "z.zip", files), CLASS)
    assert taken(room) == {"ada": "a", "bob": "b"}
    assert made.skipped == []


# Archives made to do harm


def hostile_link(made: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("ada.ipynb")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    made.writestr(info, "/etc/passwd")


def huge(made: zipfile.ZipFile) -> None:
    with made.open("ada.ipynb", "w", force_zip64=True) as file:
        for _ in range(archive.MAX_FILE // 2**20 + 1):
            file.write(bytes(2**20))


HOSTILE = {
    "slip": (lambda z: z.writestr("../../ada.ipynb", book("x")), "leads out of the archive"),
    "absolute": (lambda z: z.writestr("/ada.ipynb", book("x")), "leads out of the archive"),
    "drive": (lambda z: z.writestr("C:\\ada.ipynb", book("x")), "leads out of the archive"),
    "backslash": (lambda z: z.writestr("..\\ada.ipynb", book("x")), "leads out of the archive"),
    "link": (hostile_link, "a symbolic link"),
    "bomb": (huge, "larger than 50 MiB"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_entry_is_one_line_and_the_others_are_taken(room, tmp_path, name):
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        HOSTILE[name][0](made)
        made.writestr("bob.ipynb", book("b"))
    found = collect(room, ID, path, CLASS)
    assert taken(room) == {"bob": "b"}
    assert [HOSTILE[name][1] in line for line in found.skipped] == [True]
    outside = [p for p in tmp_path.rglob("*") if p.is_file() and room not in p.parents]
    assert outside == [path]


def test_an_entry_that_lies_about_its_size_is_read_no_further_than_the_cap(room, tmp_path):
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        huge(made)
    data = path.read_bytes()
    true = struct.pack("<I", archive.MAX_FILE + 2**20)
    at = data.index(true, data.index(b"PK\x01\x02"))
    path.write_bytes(data[:at] + struct.pack("<I", 1000) + data[at + 4 :])
    found = collect(room, ID, path, CLASS)
    assert taken(room) == {}
    assert "ada.ipynb" in found.problems[0]


def test_many_small_bombs_are_one_large_one(room, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_TOTAL", 3000)
    files = {f"s{i}.ipynb": bytes(1000) for i in range(5)}
    found = collect(room, ID, packed(tmp_path / "z.zip", files), Roster(()))
    assert any("in all were read" in p for p in found.problems)


def test_an_encrypted_entry_is_said(room, tmp_path):
    path = packed(tmp_path / "z.zip", {"ada.ipynb": book("a"), "bob.ipynb": book("b")})
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the flag of the first entry
        data[data.index(mark) + at] |= 1
    path.write_bytes(data)
    found = collect(room, ID, path, CLASS)
    assert "encrypted" in found.skipped[0]
    assert taken(room) == {"bob": "b"}


def test_a_damaged_entry_costs_its_student_alone(room, tmp_path):
    path = packed(tmp_path / "z.zip", {"ada.ipynb": os.urandom(500), "bob.ipynb": book("b")})
    data = bytearray(path.read_bytes())
    data[60] ^= 255
    path.write_bytes(data)
    found = collect(room, ID, path, CLASS)
    assert "ada.ipynb: damaged" in found.problems[0]
    assert taken(room) == {"bob": "b"}


def test_a_name_twice_is_said_and_the_last_counts(room, tmp_path):
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("ada.ipynb", book("1"))
        with pytest.warns(UserWarning, match="Duplicate"):
            made.writestr("ada.ipynb", book("2"))
    found = collect(room, ID, path, CLASS)
    assert "twice in the archive" in found.skipped[0]
    assert taken(room) == {"ada": "2"}


def test_links_and_pipes_in_a_folder_are_left_out(room, tmp_path):
    source = laid(tmp_path / "s", {"bob.ipynb": book("b")})
    (source / "ada.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(source / "eve.ipynb")
    found = collect(room, ID, source, CLASS)
    assert len(found.skipped) == 2
    assert taken(room) == {"bob": "b"}


def test_a_link_in_submitted_is_not_written_through(room, tmp_path):
    outside = laid(tmp_path / "outside", {"keep.txt": b"1"})
    (room / "submitted").mkdir(parents=True)
    (room / "submitted" / "ada").symlink_to(outside)
    found = collect(room, ID, packed(tmp_path / "z.zip", {"ada.ipynb": book("a")}), CLASS)
    assert "symbolic link" in found.problems[0]
    assert sorted(p.name for p in outside.iterdir()) == ["keep.txt"]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_zip_or_one_error(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("z") / "z.zip"
    path.write_bytes(data)
    with contextlib.suppress(CourseError), archive.opened(path) as found:
        for entry in found.entries:
            with contextlib.suppress(archive.Unreadable):
                assert len(entry.read()) <= archive.MAX_FILE


@settings(deadline=None)
@given(st.lists(st.text("ab_+-.()/1 9LATEé", min_size=1, max_size=40), max_size=6))
def test_any_names_are_attempts_or_lines(names):
    entries = tuple(archive.Entry(f"{n}.ipynb", 1, bytes) for n in names if n.strip("/."))
    for row in layouts.LAYOUTS:
        for one in layouts.read(archive.Archive(Path("z.zip"), entries), ID, row.name)[1]:
            assert isinstance(one, str | layouts.Attempt)


# Rosters

ROSTERS = {
    "canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,Quiz (12)\n    Points Possible,,,,,10\n"
        '"Lovelace, Ada",1001,s1,ada,"A, B",3\n',
        Person("ada", "Ada", "Lovelace", "", "ada", "s1", "1001", "A, B"),
    ),
    "moodle": (
        "\ufeffFirst name,Last name,ID number,Email address,Groups\nAda,Lovelace,s1,ada@x.edu,A\n",
        Person("s1", "Ada", "Lovelace", "ada@x.edu", sid="s1"),
    ),
    "moodle worksheet": (
        "Identifier,Full name,Email address,Status,Grade\nParticipant 7,Ada Lovelace,ada@x.edu,,\n",
        Person("ada@x.edu", "Ada", "Lovelace", "ada@x.edu", participant="Participant 7"),
    ),
    "gradescope": (
        "First Name;Last Name;SID;Email;Sections\nAda;Lovelace;s1;ada@x.edu;A\n",
        Person("s1", "Ada", "Lovelace", "ada@x.edu", sid="s1", section="A"),
    ),
    "nbgrader": (
        "id,first_name,last_name,email,lms_user_id\nada,Ada,Lovelace,ada@x.edu,1001\n",
        Person("ada", "Ada", "Lovelace", "ada@x.edu", lms_id="1001"),
    ),
}


@pytest.mark.parametrize("name", ROSTERS)
def test_the_columns_of_each_systems_roster_are_found(tmp_path, name):
    text, person = ROSTERS[name]
    path = tmp_path / "r.csv"
    path.write_text(text, encoding="utf-8")
    assert list(roster.read(path)) == [person]
    roster.keep(tmp_path, roster.read(path))
    assert list(roster.load(tmp_path)) == [person]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("a,b\n1,2\n", "no column that tells students apart"),
        ("email,e-mail\na,b\n", "both mean email"),
        ('id\n"a', "not a CSV file"),
    ],
)
def test_a_roster_that_cannot_be_read_is_said(tmp_path, text, words):
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(CourseError, match=words):
        roster.read(path)


def test_rows_that_cannot_be_used_are_listed(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("id,name\nada,A L\n,Nobody\nada,B\n../x,C\na+b,D\n\n")
    found = roster.read(path)
    assert [p.student for p in found] == ["ada"]
    assert [p.split(":")[1] for p in found.problems] == ["3", "4", "5", "6"]


def test_the_column_of_ids_can_be_named(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("login,Matrikel\nada,77\n")
    assert [p.student for p in roster.read(path, "Matrikel")] == ["77"]
    with pytest.raises(CourseError, match="no column 'x'; there is login, Matrikel"):
        roster.read(path, "x")


# The commands


def test_collect_and_roster_say_what_they_did_and_the_gradebook_has_the_names(
    room, tmp_path, command
):
    command("init", room)
    text = tmp_path / "r.csv"
    text.write_text("id,first_name,last_name,email,lms_user_id\nada,Ada,Lovelace,ada@x.edu,1001\n")
    files = {"ada.ipynb": book("a"), "eve\x1b[31m.ipynb": book("e"), "notes.txt": b"x"}
    source = packed(tmp_path / "z.zip", files)
    args = ("collect", "1", source, "--dir", room, *TINY)
    said = command(*args, "--roster", text, code=1)
    assert "1 new; 1 not taken" in said
    assert "is not in the roster" in said
    assert "notes.txt: no notebook" in said
    assert "\x1b[31m" not in said
    data = json.loads(command(*args, "--json", code=1))
    assert (data["taken"][0]["state"], len(data["problems"])) == ("unchanged", 1)
    assert "Lovelace, Ada" in command("roster", "--dir", room)
    from nbgrader.api import Gradebook

    with Gradebook(f"sqlite:///{room / 'gradebook.db'}") as db:
        one = db.find_student("ada")
        found = (one.first_name, one.last_name, one.email, one.lms_user_id)
    assert found == ("Ada", "Lovelace", "ada@x.edu", "1001")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["collect", "1", "none.zip", *TINY], "no such file or folder"),
        (["collect", "1", ".", "--from", "blackboard", *TINY], "no layout"),
        (["collect", "1", ".", "--when", "yesterday", *TINY], "want auto, source, now, or a time"),
        (["roster", "none.csv"], "cannot be read"),
    ],
)
def test_wrong_usage_is_said(tmp_path, monkeypatch, command, args, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CourseError, match=words):
        command(*args)


def test_an_archive_within_an_archive_is_no_notebook(room, tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as made:
        made.writestr("01_tiny.ipynb", book("a"))
    source = packed(tmp_path / "s.zip", {"ada/hw.zip": inner.getvalue(), "bob.ipynb": book("b")})
    assert collect(room, ID, source, CLASS).skipped == ["ada/hw.zip: no notebook (.ipynb)"]
