"""formgrader in a real browser: its buttons grade and write feedback as our commands do.

Chromium is one of the packages that README.md lists, so this never skips.
"""

from __future__ import annotations

import pytest

from autograder import nbgrader_bridge
from tests.autograder import formgrader

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),  # of nbgrader
    pytest.mark.timeout(900),  # two tries
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """What an instructor saw on the way; a browser whose tab crashed is started once more."""
    from playwright.sync_api import Error

    for attempt in (1, 2):
        root = tmp_path_factory.mktemp("formgrader") / "spring"
        formgrader.make_course(root)
        try:
            return {**formgrader.walk(root), "root": root}
        except Error:
            if attempt == 2:
                raise
    raise AssertionError


def test_names_and_states_stand_in_the_table(seen):
    assert {s: row[0] for s, row in seen["before"].items()} == {
        "ada": "Lovelace, Ada", "bob": "Babbage, Bob", "mallory": "<b>M</b>, Mallory"
    }  # fmt: skip
    assert {row[3] for row in seen["before"].values()} == {"needs autograding"}


def test_autograde_gives_our_marks(seen):
    for student in ("ada", "mallory"):
        assert "Successfully autograded" in seen[f"autograde {student}"]
    assert {s: row[3:5] for s, row in seen["after"].items()} == {
        "ada": ["graded", "4 / 6"], "mallory": ["graded", "3 / 6"], "bob": ["needs autograding", ""]
    }  # fmt: skip


def test_a_mark_by_hand_survives_the_button(seen):
    assert "Successfully autograded" in seen["autograde again"]
    assert seen["again"]["ada"][4] == "5.5 / 6"
    assert nbgrader_bridge.scores(seen["root"], formgrader.ID)["ada"] == 5.5


def test_feedback_is_our_page_with_what_the_human_wrote(seen):
    for student in ("ada", "mallory"):
        assert "Successfully generated feedback" in seen[f"feedback {student}"]
    page = " ".join(seen["page ada"].split())
    assert "5.5 of 6 points" in page
    assert "1 by the checks, 2.5 by hand." in page
    assert "Nearly: see me. <script>alert(3)</script>" in page
    assert "The mean stays." in page


def test_no_text_of_a_student_acted_anywhere(seen):
    assert seen["dialogs"] == []
    for title in ("title", "title ada", "title mallory"):
        assert seen[title] != "owned"
    assert "<script>document.title" in seen["page mallory"]  # shown as text
