"""Replies are read exactly, in every unit, and nonsense is refused in words."""

from __future__ import annotations

import contextlib
import math
import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizzes.errors import AnswerError
from quizzes.units import UNITS, bounds, decimal, exact, near, parse, show

READ = [
    ("512 KiB", "bytes", 2**19),
    ("0.5 MiB", "bytes", 2**19),
    ("0.5MiB", "bytes", 2**19),
    ("524,288", "bytes", 2**19),
    ("524288 B", "bytes", 2**19),
    ("1 GiB", "bytes", 2**30),
    ("1 GB", "bytes", 10**9),
    ("2 kb", "bytes", 2000),
    ("1,024", "number", 1024),
    ("1_024", "number", 1024),
    ("1e6", "number", 10**6),
    ("-1.5E-3", "number", Fraction(-3, 2000)),
    ("\u22122", "number", -2),
    (".5", "number", Fraction(1, 2)),
    ("5.", "number", 5),
    ("3/4", "number", Fraction(3, 4)),
    ("3.5M", "parameters", 3_500_000),
    ("7 B", "parameters", 7 * 10**9),
    ("12k", "parameters", 12_000),
    ("2.5 MFLOP", "FLOP", 2_500_000),
    ("3 gflops", "FLOP", 3 * 10**9),
    ("25 %", "ratio", Fraction(1, 4)),
    ("1:4", "ratio", Fraction(1, 4)),
    ("4x", "ratio", 4),
    ("12 tokens", "tokens", 12),
]


@pytest.mark.parametrize(("text", "unit", "value"), READ)
def test_a_number_with_its_unit_is_read_exactly(text, unit, value):
    assert parse(text, unit) == value
    assert parse(f"  {text} ", unit) == value


def test_degrees_are_radians():
    assert math.isclose(parse("180 deg", "radians"), math.pi)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not a number"),
        ("abc", "is not a number"),
        ("nan", "is not a number"),
        ("inf", "is not a number"),
        ("0,5", "a comma separates thousands"),
        ("1,02", "a comma separates thousands"),
        ("1.2.3", "is not a number"),
        ("1__0", "is not a number"),
        ("3 / 0", "divides by zero"),
        ("5 miles", "'miles' is not a unit"),
        ("5 M", "'M' is not a unit"),
        ("1e9999", "not a"),
        ("9" * 200, "is not a number"),
        ("\u0663", "is not a number"),
        ("1;2", "is not a number"),
    ],
)
def test_what_is_no_number_is_said_in_words(text, words):
    with pytest.raises(AnswerError, match=words):
        parse(text, "bytes")


@given(st.text(max_size=90), st.sampled_from(sorted(UNITS)))
def test_any_text_is_a_number_or_an_error_of_ours(text, unit):
    with contextlib.suppress(AnswerError):
        assert isinstance(parse(text, unit), Fraction)


@given(st.integers(-(10**12), 10**12), st.sampled_from(sorted(UNITS)))
def test_a_whole_number_is_read_back_from_how_it_is_written(n, unit):
    assert parse(f"{n:,}", unit) == n
    assert parse(str(n), unit) == n


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=1e-300, max_value=1e300))
def test_a_float_is_read_back_to_the_bit(x):
    assert float(parse(repr(x), "number")) == x


def test_answers_are_shown_with_unit_and_a_rounder_size():
    assert show(524288, "bytes") == "524,288 bytes (512 KiB)"
    assert show(2621440, "bytes") == "2,621,440 bytes (2.5 MiB)"
    assert show(327680 * 3 + 1, "bytes") == "983,041 bytes (about 960 KiB)"
    assert show(12, "bytes") == "12 bytes"
    assert show(3_538_944, "parameters") == "3,538,944 parameters (about 3.539 M)"
    assert show(0.73105857) == "0.7311"
    assert show((4, 8)) == "(4, 8)"
    assert show(True) == "True"


def test_no_answer_is_nan_infinite_or_a_text():
    for value in (math.nan, math.inf, "3", None):
        with pytest.raises(ValueError, match="finite"):
            exact(value)


def test_tolerance_is_a_share_of_the_answer_and_its_edge_counts():
    assert near(Fraction(101), Fraction(100), 0.01)
    assert not near(Fraction(1011, 10), Fraction(100), 0.01)
    assert near(Fraction(-99), Fraction(-100), 0.01)
    assert not near(Fraction(101), Fraction(100), 0.0)


@given(st.fractions(), st.sampled_from([0.0, 0.005, 0.01, 0.2]))
def test_bounds_are_the_last_values_that_are_near(answer, tolerance):
    low, high = bounds(answer, tolerance)
    assert near(low, answer, tolerance)
    assert near(high, answer, tolerance)
    beyond = Fraction(1, 10**9) * (abs(answer) + 1)
    assert not near(low - beyond, answer, tolerance)
    assert not near(high + beyond, answer, tolerance)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_a_decimal_is_digits_that_mean_the_same_number(value):
    written = decimal(Fraction(value))
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", written)
    assert Fraction(written) == Fraction(value) or float(written) == value
