"""jupyterquiz's JSON: the fields of its README, and what its scripts make of an answer."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings

from quizzes import jupyterquiz, markup
from quizzes.marking import judge

from .conftest import hard_texts, hardened, reply_of, visible, whole_bank

TEXT = {"type": "string", "minLength": 1}
DEFAULT = {
    "type": "object",
    "properties": {"type": {"const": "default"}, "feedback": TEXT},
    "required": ["type", "feedback"],
    "additionalProperties": False,
}


def fields(kinds, answer, *, default=False):
    """The schema of a question of these kinds, from the README's tables."""
    answers = {"anyOf": [answer, DEFAULT]} if default else answer
    return {
        "type": "object",
        "properties": {
            "question": TEXT,
            "type": {"enum": kinds},
            "code": TEXT,
            "answers": {"type": "array", "minItems": 1, "items": answers},
        },
        "required": ["question", "type", "answers"],
        "additionalProperties": False,
    }


def answer(required, **properties):
    return {
        "type": "object",
        "properties": {"correct": {"type": "boolean"}, "feedback": TEXT} | properties,
        "required": ["correct", *required],
        "additionalProperties": False,
    }


RANGE = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
SCHEMA = {
    "type": "array",
    "items": {
        "anyOf": [
            fields(["multiple_choice", "many_choice"], answer(["answer"], answer=TEXT)),
            fields(
                ["numeric"],
                answer(["type", "range"], type={"const": "range"}, range=RANGE),
                default=True,
            ),
            fields(
                ["string"],
                answer(["answer"], answer=TEXT, match_case={"type": "boolean"}),
                default=True,
            ),
        ]
    },
}


def read(paper):
    data = json.loads(jupyterquiz.write(paper))
    jsonschema.validate(data, SCHEMA)
    return data


def judged(found, reply):
    """(right, feedback) by js/numeric.js and js/string.js: the first answer that fits."""
    for a in found["answers"]:
        if "range" in a:
            fits = a["range"][0] <= float(reply) < a["range"][1]
        elif "answer" in a:
            fits = reply == a["answer"] if a["match_case"] else reply.lower() == a["answer"].lower()
        else:
            return False, a["feedback"]
        if fits:
            return a["correct"], a["feedback"]
    raise AssertionError("no answer fits, and there is no default")


def tries(q):
    """Replies to a question that is typed."""
    if q.kind == "number":
        exact = q.answer if q.answer.denominator == 1 else float(q.answer)
        edge = float(q.answer) * (1 + q.tolerance * 0.999)
        return [str(exact), repr(edge), *(repr(float(m.value)) for m in q.mistakes), "123456.5"]
    if q.kind == "order":
        letters = [o.letter for o in q.options]
        return [reply_of(q, list(q.answer)), reply_of(q, letters)]
    return [q.answer, q.answer.replace(" ", ""), *(m.text for m in q.mistakes), "nothing"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_what_the_file_calls_right_is_what_our_marking_calls_right(seed):
    paper = whole_bank(seed)
    for q, found in zip(paper.questions, read(paper), strict=True):
        if q.kind in ("choice", "choices"):
            right = [o.letter for o, a in zip(q.options, found["answers"], strict=True)
                     if a["correct"]]  # fmt: skip
            assert judge(q, reply_of(q, right)).right
        else:
            for reply in tries(q):
                assert judged(found, reply)[0] is judge(q, reply).right, (q.id, reply)


def test_each_wrong_choice_and_known_mistake_brings_its_reason(every):
    for q, found in zip(every.questions, read(every), strict=True):
        for o, a in zip(q.options, found["answers"], strict=q.kind in ("choice", "choices")):
            if q.kind != "order" and not o.right:
                assert visible(a["feedback"]) == f"Wrong. {o.why}"
        for m in q.mistakes:
            told = judged(found, str(m.text if q.kind == "code" else m.value))[1]
            assert visible(told) == f"Wrong. {m.why}"


def test_an_order_is_typed_as_the_letters_it_shows(every):
    (q,) = (q for q in every.questions if q.kind == "order")
    (found,) = (f for f in read(every) if "in order" in f["question"])
    for o in q.options:
        assert f"{o.letter}) {o.text}" in visible(found["question"])
    assert judged(found, "".join(q.answer).upper())[0]
    assert "It is second." in judged(found, "abc"[::-1] if q.answer != tuple("cba") else "abc")[1]


@given(text=hard_texts(), why=hard_texts())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_of_a_question_becomes_a_formula_a_link_or_an_element(every, text, why):
    paper = hardened(every, text, why)
    for q, found in zip(paper.questions, read(paper), strict=True):
        html = [found["question"], *(a["feedback"] for a in found["answers"])]
        if q.kind in ("choice", "choices"):
            html += [a["answer"] for a in found["answers"]]
            assert [visible(a["answer"]) for a in found["answers"]] == [
                visible(markup.inline_html(o.text)) for o in q.options
            ]
        for part in html:
            assert not set(part) & set("$[")
            elements = set(re.findall(r"<(/?\w*)", part))
            assert elements <= {
                s + n for n in ("p", "ul", "li", "code", "strong", "pre", "br") for s in ("", "/")
            }
