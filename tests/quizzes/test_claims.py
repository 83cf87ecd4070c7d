"""The list of claims has a row for every question and says who computed it."""

from __future__ import annotations

from quizzes import claims, interview
from quizzes.answers import ANSWERS
from quizzes.schema import load_banks


def test_every_question_has_its_answer_and_what_computed_it():
    banks = {"2.5": load_banks()["2.5"]}
    rows = claims.of_banks(banks)
    assert [r["id"] for r in rows] == [q.id for q in banks["2.5"].questions]
    by_id = {r["id"]: r for r in rows}
    assert by_id["roofline"]["computed_by"] == "attained"
    assert by_id["views"]["computed_by"] == "shares_memory"
    assert by_id["transposed-strides"]["computed_by"] == "the question's own code, run"
    assert "no number" in by_id["mapping"]["computed_by"]
    assert all(r["value"] and "2.5.yaml:" in r["where"] for r in rows)


def test_every_number_of_the_interviews_names_a_row_an_expression_or_a_source():
    rows = claims.of_interviews()
    assert {r["id"] for r in rows} <= set(interview.load())
    called = {r["computed_by"].split("(")[0] for r in rows}
    assert len(called & set(ANSWERS)) > 25
    assert all(r["computed_by"] and r["value"] for r in rows)
