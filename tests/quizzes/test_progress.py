"""Progress survives interruption and belongs to one student and one paper."""

from __future__ import annotations

import json

import pytest

from quizzes.errors import ReplyError
from quizzes.progress import Progress, folder


def test_what_was_answered_is_there_again(state):
    progress = Progress.load("2.1", "ada")
    progress.open("1", "digest", restart=False)["a"] = "b"
    progress.save()
    again = Progress.load("2.1", "ada")
    assert again.seed(None, restart=False) == "1"
    assert again.open("1", "digest", restart=False) == {"a": "b"}
    assert not list(state.glob("*[0-9]")), "no half-written file stays"


def test_students_and_quizzes_are_apart(state):
    progress = Progress.load("2.1", "ada")
    progress.open("1", "digest", restart=False)["a"] = "b"
    progress.save()
    for quiz, student in (("2.1", "../ada"), ("2.1", "grace"), ("2.2", "ada")):
        assert Progress.load(quiz, student).papers == {}
        assert Progress.load(quiz, student).path.parent == state


def test_a_changed_bank_and_a_restart_begin_afresh(state):
    progress = Progress.load("2.1", "ada")
    progress.open("1", "digest", restart=False)["a"] = "b"
    assert progress.open("1", "other", restart=False) == {}
    progress.open("1", "other", restart=False)["a"] = "b"
    assert progress.open("1", "other", restart=True) == {}


def test_a_finished_paper_is_followed_by_the_next_draw(state):
    progress = Progress.load("2.1", "ada")
    for seed in ("1", "2", "3"):
        assert progress.seed(None, restart=False) == seed
        progress.open(seed, "digest", restart=False)
        progress.finish(seed, 7)
        progress = Progress.load("2.1", "ada")
    assert progress.seed(None, restart=False) == "4"
    assert progress.seed("mine", restart=False) == "mine"
    progress.open("4", "digest", restart=False)
    assert progress.seed(None, restart=False) == "4"
    assert progress.seed(None, restart=True) == "5"
    assert json.loads(progress.path.read_text())["papers"]["2"]["n_right"] == 7


def test_a_file_that_is_not_ours_says_which_to_delete(state):
    path = Progress.load("2.1", "ada").path
    path.parent.mkdir(parents=True)
    for text in ("", "[]", '{"papers": 3}', '{"current": "1", "papers": {"1": {}}}', "\0"):
        path.write_text(text)
        with pytest.raises(ReplyError, match="delete the file"):
            Progress.load("2.1", "ada")


def test_a_folder_that_cannot_be_written_says_what_to_set(state):
    state.write_text("a file stands where the folder should be")
    with pytest.raises(ReplyError, match="set MINENGINE_STATE_DIR"):
        Progress.load("2.1", "ada").save()


def test_without_the_variable_the_users_state_folder_is_used(state, monkeypatch):
    monkeypatch.delenv("MINENGINE_STATE_DIR")
    assert folder().parts[-2:] == ("minengine", "quizzes")
