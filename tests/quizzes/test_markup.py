"""The markdown subset, and that no text can drive a terminal."""

from __future__ import annotations

import io
import re

import pytest
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


def a_console(**options) -> Console:
    return Console(
        file=io.StringIO(), width=80, markup=False, emoji=False, highlight=False, **options
    )


def printed(draw, **options) -> str:
    on = a_console(**options)
    on.print(draw(on))
    return on.file.getvalue()


def test_markup_of_the_terminal_library_is_printed_as_it_is():
    text = "shape [bold]x[/bold] [/] [red] :smile: x[0][1] \\[b]"
    assert printed(lambda on: screen.rendered(text, on)).strip() == text
    assert printed(lambda on: screen.table(["a"], [[text]])).splitlines()[1].strip() == text


def test_code_keeps_its_marks_where_there_is_no_colour():
    text = "the `attn_k` of **it**"
    assert printed(lambda on: screen.line(text, on)).strip() == "the `attn_k` of it"
    coloured = printed(
        lambda on: screen.line(text, on),
        force_terminal=True,
        color_system="standard",
        no_color=False,
    )
    assert "`" not in coloured
    assert "attn_k" in coloured


@pytest.mark.parametrize(
    "text", ["\x1b[2Jgone", "a\x07b", "a\rb", "\x9b2J", "right\u202eleft", "\ud800"]
)
def test_escapes_become_visible(text):
    shown = printed(lambda on: screen.line(text, on))
    shown += printed(lambda on: screen.rendered(text, on))
    assert not set(shown) & {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\ud800"}
    assert "\\x" in shown


@given(st.text(max_size=200))
def test_no_text_breaks_the_renderer_or_leaves_a_control_character(text):
    shown = printed(lambda on: screen.rendered(text, on))
    assert not [c for c in shown if ord(c) < 32 and c != "\n"]


def test_blocks_and_spans_become_elements_and_everything_else_is_escaped():
    text = "A **b** `c<d>` & e\n\n- one\n- `two`\n\n```python\nx < 1\n\ny\n```\n"
    assert markup.html(text) == (
        "<p>A <strong>b</strong> <code>c&lt;d&gt;</code> &amp; e</p>"
        "<ul><li>one</li><li><code>two</code></li></ul>"
        "<pre><code>x &lt; 1\n\ny</code></pre>"
    )


@given(st.text())
def test_no_text_becomes_an_element_of_html(text):
    for made in (markup.html(text), markup.inline_html(text)):
        bare = re.sub(r"</?(?:p|ul|li|pre|code|strong)>|&(?:lt|gt|amp);", "", made)
        assert not set(bare) & set("<>&")
