"""What is right, what is wrong, and what is told."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizzes.errors import AnswerError
from quizzes.marking import judge, mark, read
from quizzes.paper import ask, draw, key
from quizzes.schema import load_banks


def asked(bank, i):
    return ask(bank.questions[i], key(3, "marking"))


def test_a_number_is_right_in_any_spelling_and_a_known_mistake_is_named(bank):
    q = asked(bank, 0)
    for reply in (str(q.answer), f" {q.answer}.0 ", f"{q.answer}e0"):
        assert judge(q, reply).right
    wrong = judge(q, str(q.mistakes[0].value))
    assert not wrong.right
    assert wrong.reason == f"{q.mistakes[0].value} is h % G."


def test_tolerance_is_honoured_and_far_off_numbers_say_how_far(bank):
    q = replace(asked(bank, 0), answer=Fraction(1000), tolerance=0.01, unit="bytes", mistakes=())
    assert judge(q, "1.01 kB").right
    assert not judge(q, "1.02 kB").right
    assert "is 8 times the answer" in judge(q, "8000").reason
    assert "is 1/4 of the answer" in judge(q, "250 B").reason
    assert judge(q, "-5").reason == "-5 bytes is not the answer."


def test_one_choice_is_right_by_letter_or_text_and_wrong_with_its_reason(bank):
    q = asked(bank, 1)
    right = q.answer[0]
    for reply in (right, right.upper(), f"{right})", f"({right})", q.shown, q.shown.upper()):
        assert judge(q, reply).right
    for option in q.options:
        if option.letter != right:
            verdict = judge(q, option.letter)
            assert not verdict.right
            assert verdict.reason == option.why


def test_several_choices_must_all_be_there_and_each_error_has_its_reason(bank):
    q = asked(bank, 2)
    assert judge(q, " ".join(q.answer)).right
    assert judge(q, ",".join(reversed(q.answer)).upper()).right
    everything = judge(q, "a b c")
    assert not everything.right
    for option in q.options:
        assert (f"{option.letter}) does not belong" in everything.reason) == (not option.right)
    nothing_right = [o.letter for o in q.options if not o.right]
    assert f"{q.answer[0]}) belongs" in judge(q, " ".join(nothing_right)).reason


def test_an_order_is_right_only_as_a_whole_and_the_first_wrong_place_is_named(bank):
    q = asked(bank, 3)
    assert judge(q, "".join(q.answer)).right
    assert judge(q, " > ".join(q.answer)).right
    swapped = judge(q, f"{q.answer[0]} {q.answer[2]} {q.answer[1]}")
    assert not swapped.right
    assert swapped.reason.startswith("Place 2 is ")
    assert swapped.reason.endswith("It is second.")


def test_printed_output_is_compared_as_a_value_or_without_spaces(bank):
    q = asked(bank, 4)
    for reply in (q.answer, q.answer.replace(" ", ""), f"  {q.answer}  ", q.answer[:-1] + ",)"):
        assert judge(q, reply).right
    assert judge(q, q.mistakes[0].text.replace(" ", "")).reason == "It is transposed."
    assert not judge(q, "__import__('os').system('true')").right
    assert not judge(q, "(" * 500).right


def test_what_cannot_be_read_is_wrong_and_says_so(bank):
    for i, reply, words in (
        (0, "many", "is not a number"),
        (1, "z", "has 'z', want letters a to c"),
        (1, "a b", "want one letter, got 2"),
        (2, "aa", "has a letter twice"),
        (2, "-", "has no letter"),
        (3, "a b", "want all 3 letters in order, got 2"),
    ):
        verdict = judge(asked(bank, i), reply)
        assert not verdict.right
        assert "cannot be read" in verdict.reason
        assert words in verdict.reason


def test_no_reply_and_a_question_mark_are_wrong_without_blame(bank):
    for i in range(5):
        for reply in ("", "  ", "?"):
            verdict = judge(asked(bank, i), reply)
            assert (verdict.right, verdict.reason) == (False, "No answer was given.")


def test_a_mark_counts_every_question_and_the_pass_mark_is_reached_exactly(bank, plan):
    paper = draw("9.1", "ada", "1", banks={"9.1": bank}, plans={"9.1": plan})
    right = {
        q.id: " ".join(q.answer) if isinstance(q.answer, tuple) else str(q.answer)
        for q in paper.questions
    }
    assert mark(paper, right).n_right == 5
    for n_missing, passed in ((1, True), (2, False)):
        some = dict(list(right.items())[n_missing:])
        result = mark(paper, some)
        assert (result.n_right, result.passed) == (5 - n_missing, passed)
    assert mark(paper, {"other": "a"}).n_right == 0


ASKED = [ask(q, key(1, "any")) for q in load_banks()["2.1"].questions]


@given(st.text(max_size=60), st.sampled_from(ASKED))
def test_any_reply_to_any_question_gets_a_verdict(reply, q):
    verdict = judge(q, reply)
    assert verdict.right or verdict.reason
    with contextlib.suppress(AnswerError):
        read(q, reply)


def test_every_question_of_the_packaged_bank_accepts_its_own_answer():
    for q in ASKED:
        reply = " ".join(q.answer) if isinstance(q.answer, tuple) else str(q.answer)
        assert judge(q, reply).right, q.id


@pytest.mark.parametrize("reply", ["1e999", "-1e999", "1e-999", "1" * 79, "1/" + "9" * 70])
def test_a_number_of_any_size_is_judged(reply, bank):
    q = ask(bank.questions[0], key(3, "verify"))
    assert judge(q, reply).reason
