"""Expressions of bank files: arithmetic over parameters, and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizzes.expression import parse


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("H // G", 4), ("2 * h + 1", 11), ("-G", -2), ("h % G", 1), ("1 / G", 0.5),
        ("G ** 3", 8), ("'attn_k'", "attn_k"), ("h < H", True), ("h == 4", False),
        ("(h, G)", (5, 2)),
    ],
)  # fmt: skip
def test_arithmetic_means_what_python_means(text, value):
    assert parse(text).value({"H": 8, "G": 2, "h": 5}) == value


@pytest.mark.parametrize(
    "text",
    [
        "open('x')", "h.real", "h[0]", "[h]", "lambda: 1", "h if G else H", "f'{h}'", "h and G",
        "None", "...", "h :=", "", "(" * 300, "a\0b", "import os", "{h}", "b'x'",
    ],
)  # fmt: skip
def test_nothing_else_is_an_expression(text):
    with pytest.raises(ValueError, match=r"expression|allowed|neither"):
        parse(text)


def test_names_are_known_before_any_value():
    assert parse("H // G + h").names == {"H", "G", "h"}


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_a_value_error(text):
    with contextlib.suppress(ValueError):
        parse(text)
