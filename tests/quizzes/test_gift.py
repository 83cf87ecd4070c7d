"""GIFT, read again by a parser that is not ours."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from pygiftparser import parser

from quizzes import gift, markup
from quizzes.marking import judge

from .conftest import hard_texts, hardened, reply_of, visible, whole_bank

SIGNED = re.compile(r"[#=~](?:%(?P<weight>-?[0-9.]+)%)?(?P<text>.*)", re.S)
ESCAPE = re.compile(r"\\([\\~=#{}:n])")
HIDDEN = {c: chr(0xE000 + i) for i, c in enumerate("\\~=#{}:n")}
SHOWN = str.maketrans({v: "\n" if k == "n" else k for k, v in HIDDEN.items()})


def read(text):
    """What pygiftparser finds. It looks for escapes in answers but not in feedback; so they are put
    out of its way, as Moodle does too before it splits a question."""
    return parser.parse(ESCAPE.sub(lambda found: HIDDEN[found[1]], text)).questions


def shown(text):
    return (text or "").translate(SHOWN).strip()


def answers(question):
    """(weight, text, feedback) of each answer."""
    found = []
    for option in question.answer.options:
        signed = SIGNED.fullmatch(option.raw_text)
        default = 0 if option.raw_text[0] == "~" else 100
        weight = float(signed["weight"] or default)
        # the explanation of the whole question comes after the last answer's feedback
        feedback = (option.feedback or "").split("####")[0]
        found.append((weight, shown(signed["text"]), shown(feedback)))
    return found


def replies(q, rows):
    """(reply, is it right) for what stands in the file, in the words of our own marking."""
    letters = [o.letter for o in q.options]
    if q.kind == "choice":
        return [(a, row[0] == 100) for a, row in zip(letters, rows, strict=True)]
    if q.kind == "choices":
        return [(reply_of(q, [a for a, r in zip(letters, rows, strict=True) if r[0] > 0]), True)]
    if q.kind == "order":
        places = [int(text.split("->")[1]) for _, text, _ in rows]
        return [(reply_of(q, [a for _, a in sorted(zip(places, letters, strict=True))]), True)]
    if q.kind == "number":
        return [(text.split(":")[0], weight == 100) for weight, text, _ in rows]
    return [(text, weight == 100) for weight, text, _ in rows]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_file_calls_right_is_what_our_marking_calls_right(seed):
    paper = whole_bank(seed)
    questions = read(gift.write(paper))
    assert [shown(found.name) for found in questions] == [q.id for q in paper.questions]
    for q, found in zip(paper.questions, questions, strict=True):
        for reply, right in replies(q, answers(found)):
            assert judge(q, reply).right is right, (q.id, reply)


def test_margins_of_numbers_are_those_of_our_marking(every):
    for q, found in zip(whole_bank().questions, read(gift.write(whole_bank())), strict=True):
        if q.kind == "number":
            value, margin = map(float, answers(found)[0][1].split(":"))
            # both are written to the last bit of a float, so a hair inside and outside is enough
            assert margin == pytest.approx(q.tolerance * abs(float(q.answer)), rel=1e-9)
            assert judge(q, f"{value + margin * 0.999:.17g}").right
            assert not judge(q, f"{value + margin * 1.001 + 1e-9:.17g}").right


def test_each_wrong_choice_and_known_mistake_brings_its_reason(every):
    for q, found in zip(every.questions, read(gift.write(every)), strict=True):
        rows = {text: feedback for _, text, feedback in answers(found)}
        if q.kind in ("choice", "choices"):
            assert [rows[markup.inline_html(o.text)] for o in q.options] == [
                markup.html(o.why) for o in q.options
            ]
        elif q.kind != "order":
            assert {visible(why) for why in rows.values()} == {"", *(m.why for m in q.mistakes)}


def test_shares_of_right_choices_are_weights_that_moodle_knows():
    # question/engine: only these fractions may stand in a file
    known = {100, 50, 33.33333, 25, 20, -100}
    for found in read(gift.write(whole_bank())):
        if type(found.answer).__name__ == "MultipleChoiceCheckbox":
            weights = [weight for weight, _, _ in answers(found)]
            assert set(weights) <= known
            assert sum(w for w in weights if w > 0) == pytest.approx(100, abs=1e-3)


@given(text=hard_texts(), why=hard_texts())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_question_becomes_notation(every, text, why):
    paper = hardened(every, text, why)
    for q, found in zip(paper.questions, read(gift.write(paper)), strict=True):
        assert shown(found.name) == q.id
        rows = answers(found)
        if q.options and q.kind != "order":
            assert [t for _, t, _ in rows] == [markup.inline_html(o.text) for o in q.options]
            assert {f for _, _, f in rows} == {markup.html(why)}
        elif q.kind == "order":
            assert len(rows) == len(q.options)


def test_a_line_with_an_arrow_is_asked_as_a_choice(every):
    (q,) = (q for q in hardened(every, "a -> b", "why").questions if q.kind == "code")
    assert gift.has_arrow(q)
    assert gift.line(q)[0] == "=<code>a -&gt; b</code>"


def test_a_star_in_a_line_stands_for_itself(every):
    (q,) = (q for q in hardened(every, "2*3", "why").questions if q.kind == "code")
    assert gift.line(q)[0] == "=%100%2\\\\*3"
