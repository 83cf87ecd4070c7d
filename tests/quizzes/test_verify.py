"""The packaged banks pass `quiz verify`, and each thing it looks for is found when it is there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quizzes.schema import KINDS, Plan, load_banks, load_papers
from quizzes.verify import Leaning, extreme, given_away, problems, verify

from .conftest import SMALL, small_bank

QUIZZES = ("2.1", "2.2", "2.3", "2.4", "2.5", "2.6")


@pytest.fixture(scope="module", params=QUIZZES)
def report(request):
    return verify(load_banks()[request.param], load_papers()[request.param], 100)


def test_the_packaged_bank_is_fine_on_a_hundred_draws_of_each_question(report):
    assert report.ok, [report.problems, *(r.problems for r in report.rows)]
    assert all(row.n_draws == 100 for row in report.rows)


def test_the_packaged_bank_has_enough_questions_most_of_them_computed(report):
    assert len(report.rows) >= 18
    assert sum(r.question.computed for r in report.rows) > len(report.rows) / 2
    several = [r for r in report.rows if len(r.answers) > 1]
    assert len(several) > len(report.rows) / 2, "answers follow from drawn parameters"
    assert len({r.question.kind for r in report.rows}) >= 4


def test_the_packaged_quizzes_are_those_of_the_syllabus_and_have_every_kind():
    banks = load_banks()
    assert set(banks) == set(load_papers()) == set(QUIZZES)
    kinds = {q.kind for bank in banks.values() for q in bank.questions}
    assert kinds == set(KINDS)
    assert all(plan.pass_mark == 0.8 for plan in load_papers().values())
    required = [quiz for quiz, plan in load_papers().items() if plan.required]
    assert required == ["2.1", "2.2", "2.3"]
    assert all(load_papers()[quiz].n_questions == 10 for quiz in required)


def asked_one(bank, i):
    from quizzes.paper import ask, key

    return ask(bank.questions[i], key(3, "verify"))


def test_a_drawn_question_with_a_fault_is_named(bank):
    for i in range(5):
        assert problems(asked_one(bank, i)) == []
    number, choice = asked_one(bank, 0), asked_one(bank, 1)
    same = replace(number.mistakes[0], value=number.answer)
    assert "is marked right" in problems(replace(number, mistakes=(same,)))[0]
    silent = tuple(replace(o, why="") for o in choice.options)
    assert "without a reason" in problems(replace(choice, options=silent))[0]
    twins = (choice.options[0], replace(choice.options[1], text=choice.options[0].text))
    found = problems(replace(choice, options=(*twins, choice.options[2])))
    assert "two choices read the same" in found
    assert "a placeholder is left" in problems(replace(choice, text="of {H} heads"))[0]
    assert "its own answer" in problems(replace(choice, answer=("z",)))[0]


def test_a_question_that_cannot_be_drawn_is_a_problem_not_a_crash(tmp_path, plan):
    bank = small_bank(tmp_path, SMALL.replace("h % G * 4", "h"))
    row = verify(bank, plan, 3).rows[0]
    assert "none is clear" in row.problems[0]


def test_a_small_or_hardly_computed_bank_is_a_problem(bank, plan):
    assert "5 questions, want at least 15" in verify(bank, plan, 2).problems
    typed = replace(bank, questions=(bank.questions[3],) * 3)
    assert "0 of 3 are computed, want more than half" in verify(typed, plan, 2).problems
    assert "papers.yaml has no row for it" in verify(bank, None, 2).problems
    tight = Plan("9.1", "Small", 6, 0.8, True)
    assert "quiz 9.1: 5 questions, want 6" in verify(bank, tight, 2).problems


def test_a_place_or_a_length_that_tells_is_found():
    fair = {(4, letter): 250 for letter in "abcd"}
    assert given_away(fair, {"drawn": 1000, "longest": 250, "shortest": 250}) == []
    loaded = {(4, "a"): 400, (4, "b"): 200, (4, "c"): 200, (4, "d"): 200}
    assert any("a) is right in 400 of 1000" in p for p in given_away(loaded, {"drawn": 1000}))
    found = given_away(fair, {"drawn": 1000, "longest": 500, "shortest": 100})
    assert found == ["the right choice is the longest in 50 % of draws"]


def test_only_a_choice_alone_in_its_length_counts_as_extreme(bank):
    q = asked_one(bank, 1)
    assert extreme(q)[0] == "drawn"
    long = tuple(replace(o, text=o.text * 9) if o.right else o for o in q.options)
    assert extreme(replace(q, options=long)) == ["drawn", "longest"]
    same = tuple(replace(o, text="xxxx") for o in q.options)
    assert extreme(replace(q, options=same)) == ["drawn"]


def several(bank, lengths, right):
    """The question with several choices, its texts of these lengths, these of them right."""
    q = asked_one(bank, 2)
    options = tuple(
        replace(o, text="x" * n + o.letter, right=truth)
        for o, n, truth in zip(q.options, lengths, right, strict=True)
    )
    return replace(q, options=options)


def test_of_several_choices_neither_place_nor_length_may_tell(bank):
    fair, told, placed = Leaning(), Leaning(), Leaning()
    for n in range(300):
        right = [n % 3 == i for i in range(3)]
        fair.add(several(bank, (3, 9, 3), right))
        told.add(several(bank, [9 if r else 3 for r in right], right))
        placed.add(several(bank, (3, 3, 3), (True, False, False)))
    assert fair.problems() == []
    assert told.problems() == ["of several choices the longest is right in 100 % of draws"]
    assert "of several choices a) is right in 300 of 300" in placed.problems()
