"""The markdown subset, and that no text can drive a terminal."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from quizzes import markup, screen


def test_paragraphs_lists_and_fences_become_blocks():
    text = "A line\ngoes on.\n\n- first\n- second\n  goes on\n\n```python\nx = [1]\n\ny\n```\nEnd"
    found = [(b.kind, b.text, b.language) for b in markup.blocks(text)]
    assert found == [
        ("text", "A line goes on.", ""),
        ("item", "first", ""),
        ("item", "second goes on", ""),
        ("code", "x = [1]\n\ny", "python"),
        ("text", "End", ""),
    ]


def test_code_and_strong_are_spans_and_stars_in_code_are_text():
    assert markup.spans("a `2 ** 3` and **b c**, 2 * 3 * 4") == [
        ("", "a "),
        ("code", "2 ** 3"),
        ("", " and "),
        ("strong", "b c"),
        ("", ", 2 * 3 * 4"),
    ]


def printed(thing) -> str:
    out = io.StringIO()
    Console(file=out, width=80, markup=False, emoji=False, highlight=False).print(thing)
    return out.getvalue()


def test_markup_of_the_terminal_library_is_printed_as_it_is():
    text = "shape [bold]x[/bold] [/] [red] :smile: x[0][1] \\[b]"
    assert printed(screen.rendered(text)).strip() == text
    assert printed(screen.table(["a"], [[text]])).splitlines()[1].strip() == text


def test_escapes_become_visible():
    for text in ("\x1b[2Jgone", "a\x07b", "a\rb", "\x9b2J", "right\u202eleft", "\ud800"):
        shown = printed(screen.line(text)) + printed(screen.rendered(text))
        assert not set(shown) & {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\ud800"}
        assert "\\x" in shown


@given(st.text(max_size=200))
def test_no_text_breaks_the_renderer_or_leaves_a_control_character(text):
    shown = printed(screen.rendered(text))
    assert not [c for c in shown if ord(c) < 32 and c != "\n"]
