"""The interview bank: its rules hold, numbers are computed, broken engines can be mended."""

from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pytest

from course.broken import BROKEN, engine, trace, trial
from quizzes import interview
from quizzes.errors import BankError, DrawError
from quizzes.interview import CATEGORIES, POINTS, as_data, claims, load, symptom, try_fix

ONE = """\
category: concepts
questions:
  - id: one
    title: A title
    level: mid
    minutes: 5
    source: a paper
    given: {L: 2, G: 1, E: 64}
    numbers:
      token: {call: kv_bytes}
      twice: token * 2
    question: How much is it for {L} layers?
    looked_for: [a formula, a number, a unit]
    answer: It is {token:bytes}, and {twice} for two, in F16.
    follow_ups:
      - {question: "Why?", answer: Because.}
      - {question: "And {{L}}?", answer: That too.}
    rubric:
      - {points: 5, text: A formula.}
      - {points: 3, text: A number.}
      - {points: 2, text: A unit.}
"""


@pytest.fixture(scope="module")
def bank():
    return load()


@pytest.fixture
def written(tmp_path):
    def write(text):
        (tmp_path / "concepts.yaml").write_text(text, encoding="utf-8")
        return load(tmp_path)

    return write


def test_there_are_five_questions_of_each_category_at_both_levels(bank):
    assert Counter(q.category for q in bank.values()) == dict.fromkeys(CATEGORIES, 5)
    assert {q.level for q in bank.values()} == {"mid", "senior"}
    assert len({q.engine for q in bank.values() if q.engine}) == 5


def test_every_text_is_filled_and_every_number_is_computed(bank):
    for q in bank.values():
        told, values = q.told(), q.values()
        texts = [told.question, told.answer, *told.looked_for, *(x.answer for x in told.follow_ups)]
        assert not any(re.search(r"\{[A-Za-z_]", text) for text in texts), q.id
        assert sum(line.points for line in q.rubric) == POINTS
        rows = {row["name"]: row for row in claims(q)}
        assert set(rows) == set(values)
        used = set(re.findall(r"\{(\w+)", json.dumps(as_template(q))))
        computed = [n for n in q.numbers if n in used]
        assert set(used) <= set(values), q.id
        if q.category != "debugging":
            assert len(computed) >= 3, f"{q.id}: {computed}"
        for value in values.values():
            assert not isinstance(value, float) or np.isfinite(value)


def as_template(q):
    parts = [q.title, q.question, q.answer, *q.looked_for]
    parts += [t for x in q.follow_ups for t in (x.question, x.answer)]
    return [*parts, *(line.text for line in q.rubric)]


def test_the_cache_of_a_70b_model_is_what_arithmetic_gives(bank):
    text = bank["cache-of-70b"].told().answer
    assert "327,680 bytes (320 KiB)" in text  # 2 * 80 layers * 8 heads * 128 * 2 bytes
    assert "2,621,440 bytes (2.5 MiB)" in text  # with 64 heads
    assert "1.25 GiB" in text


def test_data_for_pages_are_json(bank):
    for q in bank.values():
        data = as_data(q)
        assert json.loads(json.dumps(data, allow_nan=False)) == data
        assert ("engine" in data) == (q.category == "debugging")


def test_a_bank_is_read_and_its_texts_filled(written):
    q = written(ONE)["one"]
    assert q.values()["token"] == 2 * 2 * 64 * 2
    told = q.told()
    assert told.question == "How much is it for 2 layers?"
    assert told.answer == "It is 512 bytes, and 1024 for two, in F16."
    assert told.follow_ups[1].question == "And {L}?"
    assert {row["name"]: row["computed_by"] for row in claims(q)} == {
        "L": "given: a paper", "G": "given: a paper", "E": "given: a paper",
        "token": "kv_bytes", "twice": "token * 2",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("for two, in F16", "for 2, in F16", "the number '2,' is typed"),
        ("A unit.}", "3 units.}", "the number '3' is typed"),
        ("Because.}", "See 2019.}", "'2019.' is typed"),
        ("{token:bytes}", "{tokens:bytes}", "no number for {tokens:bytes}"),
        ("{token:bytes}", "{token:byte}", "no unit"),
        ("points: 5", "points: 4", "9 points in all, want 10"),
        ("level: mid", "level: junior", "want one of mid, senior"),
        ("kv_bytes}", "kv_byte}", "want one of"),
        ("token * 2", "nothing * 2", "no parameter 'nothing'"),
        ("minutes: 5", "minutes: 90", "a number from 1 to 60"),
        ("source: a paper", "sources: a paper", "unknown field 'sources'"),
        ("looked_for: [a formula, a number, a unit]", "looked_for: [x]", "want at least 3"),
        ("category: concepts", "category: trivia", "want one of concepts"),
    ],
)
def test_what_is_wrong_in_a_bank_is_said_with_file_and_line(written, old, new, said):
    assert old in ONE
    with pytest.raises(BankError) as found:
        written(ONE.replace(old, new))
    text = str(found.value)
    assert said in text
    assert re.search(r"concepts\.yaml:\d+: ", text)


def test_a_number_that_cannot_be_computed_names_its_question(written):
    q = written(ONE.replace("token * 2", "token / 0"))["one"]
    with pytest.raises(DrawError, match=r"concepts\.yaml:3: one: twice: ZeroDivision"):
        q.told()


def test_an_engine_that_does_not_exist_is_named(tmp_path):
    text = (interview.folder() / "debugging.yaml").read_text(encoding="utf-8")
    (tmp_path / "debugging.yaml").write_text(text.replace("engine: ghost", "engine: gost"))
    with pytest.raises(BankError, match="got 'gost', want one of"):
        load(tmp_path)


def debugging():
    return [q for q in load().values() if q.engine]


@pytest.mark.parametrize("q", debugging(), ids=lambda q: q.id)
def test_the_fix_is_right_and_the_ones_people_try_first_are_not(q):
    """By the part alone; the same look is the first that ``--try`` takes."""

    def differs(code: str) -> str:
        namespace: dict = {}
        exec(code, namespace)
        part = namespace[BROKEN[q.engine].part]
        part = part() if isinstance(part, type) else part
        with np.errstate(all="ignore"):
            return trial.part_differs(BROKEN[q.engine].part, part, np.random.default_rng(0))

    assert differs(q.fix) == ""
    for wrong in q.wrong_fixes:
        assert differs(wrong.code), f"{q.id}: {wrong.why}"


def test_a_symptom_is_shown_and_a_fix_tried_on_the_whole_engine(bank):
    q = bank["into-a-loop"]
    right, shown = symptom(q)
    assert right != shown
    assert len(set(shown.split())) < len(set(right.split())), "it repeats itself"
    assert any("bound" in line for line in try_fix(q, q.wrong_fixes[0].code))
    assert try_fix(q, "x = 1") == ["it defines no function 'next_mu'"]
    assert "SyntaxError" in try_fix(q, "def next_mu(")[0]


def test_what_the_answers_claim_of_the_engines_is_so():
    """The first value that differs in a batch is the first norm, and mirostat's bound runs off."""
    crowd = engine("crowd")
    ids = crowd.tokenize("JULIET:\nWhat")
    whole, alone = trace(crowd, ids), trace(crowd, ids, chunks=[1] * len(ids))
    different = [n for n in whole if not np.allclose(whole[n][-1], alone[n][-1], atol=1e-4)]
    assert different[0] == "blk.0.attn_norm"
    sleepy = engine("monotony")
    sequence = sleepy.sequence(
        "JULIET:\nWhat", seed=3, max_tokens=40, mirostat=2, mirostat_tau=3.0, mirostat_eta=0.3
    )
    bounds = [sequence.chain._end.mu for _ in sleepy.resume(sequence)]
    assert bounds[-1] < -5 < 0 < bounds[0]
