"""Files of replies: what is written blank, what is read back, and what a hostile one can do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quizzes import replies
from quizzes.errors import ReplyError
from quizzes.paper import draw


@pytest.fixture
def paper(bank, plan):
    return draw("9.1", "ada", "1", banks={"9.1": bank}, plans={"9.1": plan})


def written(folder, text, name="r.yaml"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_blank_file_is_read_back_and_tells_no_answer(paper, tmp_path):
    text = replies.template(paper)
    given = replies.read(written(tmp_path, text))
    assert given.answers == {q.id: "" for q in paper.questions}
    assert (given.quiz, given.student, given.seed, given.paper) == (
        "9.1",
        "ada",
        "1",
        paper.digest,
    )
    for q in paper.questions:
        assert q.why not in text
        assert all(o.why not in text for o in (*q.options, *q.mistakes) if o.why)
    assert not [line for line in text.splitlines() if line != line.rstrip()]


def test_the_blank_file_for_machines_is_read_back_too(paper, tmp_path):
    data = replies.as_data(paper)
    data["answers"]["heads"] = "3"
    given = replies.read(written(tmp_path, json.dumps(data), "r.json"))
    assert given.answers["heads"] == "3"
    assert given.paper == paper.digest
    assert "why" not in json.dumps(data)


def test_any_name_of_a_student_comes_through_the_blank_file(bank, plan, tmp_path):
    for name in ('a"b', "a: b # c", "Zoë 李", "o'neil\\", "yes", "1.0", "\U0001f600", "a\nb"):
        paper = draw("9.1", name, "1", banks={"9.1": bank}, plans={"9.1": plan})
        given = replies.read(written(tmp_path, replies.template(paper)))
        assert given.student == name.replace("\n", "\\n") or given.student == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a: 1e6\nb: yes\nc: 1_0\nd: [a, c]\ne: 0x1F\nf: 1:30\ng: ~\n", "r.yaml"),
        (
            '{"a": 1e6, "b": "yes", "c": "1_0", "d": ["a", "c"], "e": "0x1F", "f": "1:30", '
            '"g": null}',
            "r.json",
        ),
    ],
)
def test_values_come_as_they_were_written(text, name, tmp_path):
    want = {"a": "1e6", "b": "yes", "c": "1_0", "d": "a, c", "e": "0x1F", "f": "1:30", "g": ""}
    assert replies.read(written(tmp_path, text, name)).answers == want


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("just text", "want a mapping"),
        ("[a, b]", "want a mapping"),
        ("a: {b: {c: d}}", "want a text"),
        ("a: [[b]]", "got a list"),
        ("answers: 7", "got a text, want a mapping"),
        ("a: 1\na: 2", "r.yaml:2: r: field 'a' twice (first in line 1)"),
        ("answers: {a: 1, a: 2}", "field 'a' twice"),
        ("answers: {a: 1}\nfoo: 2", "unknown field 'foo'"),
        ("a: *b", "undefined alias"),
        ("a: !!python/object/apply:os.system [true]", None),
        ("a: " + "x" * 2000, "a reply of 2000 characters"),
        ("x" * 70_000, "more than 64 KiB"),
        ("[" * 5000, "brackets"),
        ("- " * 20_000, "not YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
        ('{"a": 1, "a": 2}', "a name is there twice"),
        ('{"a": ' + "[" * 1500, "not JSON"),
        ('{"a": {"b": 1}}', "want a text"),
        ('{"a": 1', "not JSON"),
    ],
)
def test_a_file_that_is_no_file_of_replies_is_refused_in_words(text, words, tmp_path):
    path = written(tmp_path, text)
    if words is None:  # a tag is never acted on: the list is read as plain letters
        assert replies.read(path).answers == {"a": "true"}
        return
    with pytest.raises(ReplyError) as caught:
        replies.read(path)
    assert words in str(caught.value)
    assert "r.yaml" in str(caught.value)


def test_aliases_cannot_blow_up(tmp_path):
    """Written out, the last list would have 8^12 texts."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 8)}]" for i in range(1, 12)]
    with pytest.raises(ReplyError, match="got a list"):
        replies.read(written(tmp_path, "\n".join(lines)))


@given(st.text(max_size=200))
def test_any_text_is_replies_or_an_error_of_ours(text):
    for read in (replies.from_yaml, replies.from_json):
        try:
            assert isinstance(read(Path("r"), text), dict)
        except ReplyError:
            continue


def test_a_file_that_is_not_there_or_is_a_folder_is_an_error(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ReplyError, match="cannot be read"):
            replies.read(path)
