"""Every rule of a bank file: what breaks it is named by file:line, got and want."""

from __future__ import annotations

import re

import pytest
import yaml

from quizzes import interview, nodes
from quizzes.answers import ANSWERS
from quizzes.errors import BankError
from quizzes.paper import draw_all
from quizzes.schema import FOLDER, KINDS, load_bank, load_banks, load_papers

from .conftest import SMALL, small_bank

# (part of the small bank, what stands there instead, line of the complaint, words of the complaint)
BROKEN = {
    "duplicate key": ("    topic: shapes\n", "    topic: a\n    topic: b\n", 18, "'topic' twice"),
    "unknown field": ("    topic: shapes\n", "    topik: a\n", 17, "did you mean 'topic'?"),
    "missing field": ("    topic: shapes\n", "", 15, "field 'topic' is missing"),
    "unknown kind": ("kind: order", "kind: ordre", 40, "got 'ordre', want one of choice"),
    "empty text": ("text: Order these.", 'text: ""', 42, "got '', want a text"),
    "text is a list": ("text: Order these.", "text: [a]", 42, "got a list, want a text"),
    "bad id": ("id: steps", "id: Steps!", 39, "got 'Steps!', want small letters"),
    "id twice": ("id: steps", "id: heads", 39, "question 'heads' is in"),
    "placeholder in text": ("head {h} of {H}", "head {x} of {H}", 10, "no parameter for {x}"),
    "placeholder in why": ("= {answer}.\n  - id: shape", "= {z}.\n  - id: shape", 14, "{z}"),
    "answer in the text": (
        "Which of {G}",
        "Is it {answer} of {G}",
        10,
        "no parameter for {answer}",
    ),
    "placeholder in code": ("np.zeros(({T}", "np.zeros(({S}", 55, "no parameter for {S}"),
    "no reason": (
        ", why: A matrix has two axes.",
        "",
        23,
        "a choice that may be wrong needs `why`",
    ),
    "no right choice": (
        "{right: true, call",
        "{why: no, call",
        21,
        "got 0 right choices, want exactly",
    ),
    "two right choices": (
        '{text: "({D}, {D}, {D})", why: A matrix has two axes.}',
        '{text: "({D}, {D}, {D})", right: true}',
        21,
        "got 2 right choices, want exactly one",
    ),
    "text and call": (
        "{right: true, call",
        "{right: true, text: a, call",
        21,
        "want either `text` or `call`",
    ),
    "too few choices": (
        "      - {text: three, why: It is third.}\n",
        "",
        44,
        "got 2 items, want at",
    ),
    "unknown call": ("answer: {call: kv_head}", "answer: {call: kv}", 11, "got 'kv', want one of"),
    "unknown argument": ('{h: "h % G * 4"}', "{k: h}", 13, "kv_head has no argument 'k'"),
    "missing argument": (
        "with: {tensor: \"'attn_q'\"}",
        "with: {}",
        22,
        "tensor_shape needs 'tensor'",
    ),
    "unknown parameter": ("H: G * 4", "H: K * 4", 8, "no parameter 'K' (G)"),
    "later parameter": ("G: [2, 4]", "G: H", 7, "no parameter 'H' (none)"),
    "not arithmetic": ("H: G * 4", "H: open(G)", 8, "Call is not allowed"),
    "reserved name": ("draw: {T: [2, 3]", "draw: {answer: [2, 3]", 51, "cannot be the name"),
    "unknown unit": (
        "    answer: {call",
        "    unit: bits\n    answer: {call",
        11,
        "got 'bits', want",
    ),
    "wild tolerance": (
        "    answer: {call",
        "    tolerance: 3\n    answer: {call",
        11,
        "from 0 to 0.2",
    ),
    "half the keys": (
        "{text: one, why",
        "{text: one, key: {call: kv_head, with: {h: '1', H: '2', G: '1'}}, why",
        44,
        "1 of 3 items have a `key`",
    ),
    "rows that differ": ("G: [2, 4]", "row: [{G: 2}, {K: 4}]", 7, "got the fields K, want G"),
    "not YAML": ("kind: order", "kind: [", 42, "not YAML"),
    "no mapping": ("  - id: steps", "  - 7\n  - id: steps", 39, "got '7', want a mapping"),
    "no mistakes": (
        '    mistakes:\n      - {text: "({T}, {E})", why: It is transposed.}\n',
        "",
        48,
        "field 'mistakes' is missing",
    ),
    "same choice twice": (
        "{text: none, why",
        '{text: "{n}", why',
        31,
        "the choice '{n}' is there twice",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_bank_is_named_by_file_and_line(name, tmp_path):
    old, new, line, words = BROKEN[name]
    assert SMALL.count(old) == 1, "the test must break one place"
    with pytest.raises(BankError) as caught:
        small_bank(tmp_path, SMALL.replace(old, new))
    message = str(caught.value)
    assert words in message
    assert f"9.1.yaml:{line}:" in message


def test_every_wrong_question_is_listed_at_once(tmp_path):
    text = SMALL.replace("kind: order", "kind: a").replace("kind: code", "kind: b")
    with pytest.raises(BankError) as caught:
        small_bank(tmp_path, text)
    assert len(str(caught.value).splitlines()) == 2


def test_braces_that_are_no_placeholder_stay(tmp_path):
    text = SMALL.replace("Order these.", '"{{one}}, {1, 2} and {} {{}}"')
    assert small_bank(tmp_path, text).questions[3].text == "{{one}}, {1, 2} and {} {{}}"


def test_the_packaged_banks_are_read_and_every_kind_is_used():
    banks, plans = load_banks(), load_papers()
    assert set(plans) == set(banks) >= {"2.1"}
    assert {q.kind for q in banks["2.1"].questions} == set(KINDS)


def test_every_row_of_answers_is_called_by_a_bank_or_an_interview_question():
    files = [*(FOLDER / "bank").glob("*.yaml"), *interview.folder().glob("*.yaml")]
    text = "".join(p.read_text(encoding="utf-8") for p in files)
    unused = {name for name in ANSWERS if not re.search(rf"call: {name}\b", text)}
    assert not unused


def test_a_quiz_in_two_files_and_a_folder_that_is_not_there_are_errors(tmp_path):
    small_bank(tmp_path)
    (tmp_path / "other.yaml").write_text(SMALL)
    with pytest.raises(BankError, match=r"quiz 9\.1 is in"):
        load_banks(tmp_path)
    with pytest.raises(BankError, match="no such folder"):
        load_banks(tmp_path / "nothing")


def test_papers_must_be_whole(tmp_path):
    path = tmp_path / "papers.yaml"
    for text, words in (
        ('"1": {title: A, questions: 10, pass_mark: 80, required: true}', "from 0 to 1"),
        ('"1": {title: A, questions: 2.5, pass_mark: 0.8, required: true}', "a whole number"),
        ('"1": {title: A, questions: 10, pass_mark: 0.8, required: maybe}', "want true or false"),
        ('"1": {title: A, questions: 10, pass_mark: 0.8}', "'required' is missing"),
        ("", "the file is empty"),
    ):
        path.write_text(text)
        with pytest.raises(BankError, match=words):
            load_papers(path)


def test_a_bank_nested_without_end_is_an_error_not_a_crash(tmp_path):
    path = tmp_path / "deep.yaml"
    path.write_text("[" * 1500)
    with pytest.raises(BankError, match="not YAML"):
        load_bank(path)


def test_banks_are_the_same_without_libyaml(monkeypatch):
    fast = [draw_all(bank, "ada", 1) for bank in load_banks().values()]
    monkeypatch.setattr(nodes, "FAST", yaml.SafeLoader)
    assert [draw_all(bank, "ada", 1) for bank in load_banks().values()] == fast
