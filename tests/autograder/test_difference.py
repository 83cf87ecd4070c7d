"""A failed comparison says where, by how much, and which known mistake it is."""

from __future__ import annotations

import contextlib
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder.difference import close, equal, expect_dtype, expect_shape, require
from autograder.errors import CheckFailed

NUMBERS = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64, np.int64, np.bool_]),
    hnp.array_shapes(min_dims=0, max_dims=4, max_side=4, min_side=0),
)


def failure(function, *args, **kwargs) -> CheckFailed:
    with pytest.raises(CheckFailed) as caught:
        function(*args, **kwargs)
    return caught.value


def off(got, want, **kwargs) -> CheckFailed:
    return failure(close, got, want, **{"rtol": 1e-5, "atol": 1e-6, **kwargs})


@given(NUMBERS)
def test_a_value_is_close_and_equal_to_itself(x):
    close(x, x, rtol=0, atol=0)
    equal(x, x)


@given(NUMBERS, st.data())
def test_one_changed_number_is_found_and_its_place_is_named(x, data):
    want = x.astype(np.float64)
    if want.size == 0 or not np.all(np.isfinite(want)):
        return
    got = want.copy()
    place = data.draw(st.integers(0, want.size - 1))
    got.reshape(-1)[place] += 1e-2 + abs(got.reshape(-1)[place])
    failed = off(got, want, axes=tuple("abcd")[: want.ndim])
    assert failed.tag == "wrong-value"
    index = np.unravel_index(place, want.shape)
    for name, i in zip("abcd", index, strict=False):
        assert f"{name} {i}" in failed.message
    if want.size > 1:
        assert f"1 of {want.size} values differ" in failed.message


@given(NUMBERS, NUMBERS)
def test_any_two_arrays_give_a_verdict_and_never_another_exception(a, b):
    for function in (lambda: close(a, b, rtol=1e-3, atol=0), lambda: equal(a, b)):
        with contextlib.suppress(CheckFailed):
            function()


def test_the_message_says_place_values_count_largest_error_and_what_is_allowed():
    want = np.zeros((4, 2, 8))
    got = want.copy()
    got[3, 1, 5], got[3, 1, 7] = 0.12, -0.5
    message = off(got, want, what="rope(x)").message
    assert message.startswith("rope(x): token 3, head 1, dimension 5: got 0.12, want 0")
    assert "2 of 64 values differ" in message
    assert "largest error 0.5 (token 3, head 1, dimension 7)" in message
    assert "5e+05 times what is allowed (allowed: 1e-06 + 1e-05 of the value wanted)" in message


def test_values_that_differ_beyond_six_digits_are_shown_in_full():
    message = off(1.0000001, 1.0, rtol=0, atol=0).message
    assert "got 1.0000001, want 1.0" in message


def test_a_known_mistake_gives_its_tag_and_is_computed_only_when_needed():
    want, asked = np.arange(4.0), []
    near = {"sign": -want, "twice": lambda: asked.append(1) or 2 * want}
    close(want, want, rtol=0, atol=0, near=near)
    assert asked == []
    assert off(-want, want, near=near).tag == "sign"
    assert off(2 * want, want, near=near).tag == "twice"
    assert off(3 * want, want, near=near).tag == "wrong-value"


def test_a_known_mistake_may_have_nan_and_another_shape():
    want = np.ones((2, 3))
    mistake = np.array([[np.nan, 1, 1]] * 2)
    assert off(mistake, want, near={"masked": mistake}).tag == "masked"
    assert off(want.T, want, near={"not-turned": want.T}).tag == "not-turned"


def test_a_near_miss_that_cannot_be_computed_is_passed_over():
    def broken():
        raise ValueError("this mistake needs two heads")

    assert off(np.ones(3), np.zeros(3), near={"a": broken, "b": np.ones(3)}).tag == "b"


def test_the_students_own_parts_explain_a_difference_and_leave_a_note():
    got, want = np.ones(3), np.zeros(3)
    assert "own parts" in close(got, want, rtol=0, atol=0, own=lambda: np.ones(3))
    assert off(got, want, own=lambda: np.full(3, 2.0)).tag == "wrong-value"


def test_nan_from_ones_own_parts_explains_nothing_where_a_number_is_wanted():
    nan = np.full(3, np.nan)
    assert off(nan, np.zeros(3), own=nan).tag == "nan"
    with pytest.raises(CheckFailed):
        equal(nan, np.zeros(3), own=nan)
    want = np.array([0, np.nan, 0])
    assert "own parts" in close(want + 1, want, rtol=0, atol=0, own=want + 1)


def test_nan_is_reported_as_such():
    failed = off([1.0, np.nan, 2.0], [1.0, 1.0, 2.0])
    assert failed.tag == "nan"
    assert "1 of them are NaN" in failed.message


def test_infinity_matches_only_itself():
    close([np.inf, -np.inf], [np.inf, -np.inf], rtol=0, atol=0)
    assert off([np.inf], [1e30]).tag == "wrong-value"
    assert off([1e30], [np.inf], rtol=1.0).tag == "wrong-value"


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (None, "None"),
        ("text", "str 'text'"),
        ([[1], [1, 2]], "list of 2"),
        (object(), "object"),
        ({"a": 1}, "dict"),
    ],
)
def test_what_is_no_array_is_named(got, words):
    failed = off(got, np.zeros((2, 2)))
    assert failed.tag == "wrong-type"
    assert words in failed.message
    assert "want an array of shape (2, 2)" in failed.message


def test_a_wrong_shape_says_both_and_guesses_why():
    failed = off(np.zeros((3, 2)), np.zeros((2, 3)))
    assert failed.tag == "wrong-shape"
    assert "got shape (3, 2), want (2, 3)" in failed.message
    assert "transposed" in failed.message
    assert "reshaped" in off(np.zeros(6), np.zeros((2, 3))).message


def test_lists_and_other_float_types_count_as_arrays():
    close([[1, 2]], np.array([[1.0, 2.0]]), rtol=0, atol=0)
    close(np.float16([1, 2]), np.array([1.0, 2.0]), rtol=0, atol=0)


def test_equal_tells_large_whole_numbers_apart():
    big = np.array([2**62], np.int64)
    equal(big, big)
    assert failure(equal, big + 1, big).tag == "wrong-value"


def test_equal_compares_data_with_its_types():
    equal([1, "a", None, {"k": np.ones(2)}], [1, "a", None, {"k": np.ones(2)}])
    for got in ([1, "a"], (1, "b"), [True, "b"], None):
        assert failure(equal, got, [1, "b"], near={"tag": (1, "b")}).tag in ("wrong-value", "tag")
    assert failure(equal, (1, "b"), [1, "b"], near={"tuple": (1, "b")}).tag == "tuple"


def test_expectations_name_got_and_want():
    expect_shape(np.zeros((2, 3)), (2, 3))
    expect_dtype(np.float32([1]), [np.float32, np.float64])
    assert "(3,), want (2,)" in failure(expect_shape, np.zeros(3), (2,)).message
    assert "float64, want float32" in failure(expect_dtype, np.zeros(3), np.float32).message
    assert failure(expect_dtype, [1.0], np.float32).tag == "wrong-type"


def test_require_carries_its_tag_and_survives_a_pickle():
    failed = failure(require, False, "the second block is still counted", "no-release")
    again = pickle.loads(pickle.dumps(failed))
    assert (again.tag, again.message) == ("no-release", "the second block is still counted")
