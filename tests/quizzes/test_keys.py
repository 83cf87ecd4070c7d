"""Keys of the menus and lines, pressed through prompt_toolkit's own pipe."""

from __future__ import annotations

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from quizzes import keys
from quizzes.marking import read
from quizzes.paper import ask, key

UP, DOWN, ENTER, BACKSPACE, CTRL_C, CTRL_D = "\x1b[A", "\x1b[B", "\r", "\x7f", "\x03", "\x04"


def pressed(q, text):
    """The reply that these keys give."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text(text)
        return keys.ask(q)


@pytest.fixture
def questions(bank):
    return [ask(q, key(3, "keys")) for q in bank.questions]


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (ENTER, "a"),
        (DOWN + ENTER, "b"),
        (DOWN + DOWN + DOWN + ENTER, "a"),
        (UP + ENTER, "c"),
        ("c" + ENTER, "c"),
        ("C" + UP + ENTER, "b"),
        ("xyz \t" + ENTER, "b"),
        ("?", "?"),
    ],
)
def test_one_choice_is_taken_with_arrows_or_its_letter(questions, text, reply):
    assert pressed(questions[1], text) == reply


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        (" " + ENTER, "a"),
        ("ac" + ENTER, "a c"),
        ("aab" + ENTER, "b"),
        (" " + DOWN + DOWN + " " + ENTER, "a c"),
        ("ab" + BACKSPACE + BACKSPACE + BACKSPACE + "c" + ENTER, "c"),
        (ENTER + ENTER + "b" + ENTER, "b"),
        ("a?", "?"),
    ],
)
def test_several_choices_are_ticked_and_none_is_no_reply(questions, text, reply):
    assert pressed(questions[2], text) == reply


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("bca" + ENTER, "b c a"),
        ("b" + ENTER + "ca" + ENTER, "b c a"),
        (" " + DOWN + " " + DOWN + " " + ENTER, "a b c"),
        ("abc" + BACKSPACE + BACKSPACE + "cb" + ENTER, "a c b"),
    ],
)
def test_an_order_needs_every_item_before_enter_counts(questions, text, reply):
    assert pressed(questions[3], text) == reply


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("3" + ENTER, "3"),
        ("many" + ENTER + BACKSPACE * 4 + "4" + ENTER, "4"),
        (ENTER + " 1e1 " + ENTER, "1e1"),
        ("?" + ENTER, "?"),
    ],
)
def test_a_line_is_taken_when_it_reads_as_a_reply(questions, text, reply):
    assert pressed(questions[0], text) == reply


@pytest.mark.parametrize("i", range(5))
def test_ctrl_c_and_ctrl_d_leave_every_kind_of_question(questions, i):
    with pytest.raises(KeyboardInterrupt):
        pressed(questions[i], CTRL_C)
    with pytest.raises(EOFError):
        pressed(questions[i], CTRL_D)


def test_the_menu_says_why_enter_did_not_work(questions):
    menu = keys.Menu(questions[3])
    menu.take(0)
    menu.enter(None)
    assert "Place all 3 first" in menu.help()[0][1]
    menu.move(1)
    assert "Backspace" in menu.help()[0][1]
    several = keys.Menu(questions[2])
    several.enter(None)
    assert "Tick at least one" in several.help()[0][1]


def test_the_menu_shows_cursor_ticks_and_places(questions):
    def shown(menu):
        return "".join(part for _, part in menu.lines()).splitlines()

    menu = keys.Menu(questions[3])
    menu.letter(1)
    menu.letter(0)
    lines = shown(menu)
    assert lines[0].startswith(" > [2] a)")
    assert lines[1].startswith("   [1] b)")
    assert lines[2].startswith("   [ ] c)")
    several = keys.Menu(questions[2])
    several.letter(2)
    assert shown(several)[2].startswith(" > [x] c)")


def test_every_reply_of_a_menu_can_be_read(questions):
    for i, text in ((1, "b\r"), (2, "ab\r"), (3, "cab\r")):
        assert read(questions[i], pressed(questions[i], text))


def test_a_plain_line_is_asked_again_until_it_can_be_read(questions, monkeypatch, capsys):
    lines = iter(["", "many", "5"])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))
    assert keys.ask_plainly(questions[0]) == "5"
    assert "'many' is not a number" in capsys.readouterr().out
    lines = iter(["?"])
    assert keys.ask_plainly(questions[1]) == "?"


def test_no_color_and_dumb_terminals_are_respected(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    assert keys.color_depth() is keys.ColorDepth.DEPTH_1_BIT
    monkeypatch.delenv("NO_COLOR")
    assert keys.color_depth() is None
    for term, plain in (("dumb", True), ("", True), ("xterm-256color", False)):
        monkeypatch.setenv("TERM", term)
        assert keys.is_plain() is plain
