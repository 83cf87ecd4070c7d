"""Papers dealt with a secret, collected and marked; one bad file spoils no other."""

from __future__ import annotations

import pytest

from quizzes import collected, replies
from quizzes.errors import ReplyError
from quizzes.paper import draw
from quizzes.schema import load_banks

SECRET = "0123456789abcdef0123456789abcdef\n"


@pytest.fixture
def banks():
    return load_banks()


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(SECRET)
    return path


def fill(path, student, *, n_wrong=0, banks):
    """Right answers from the secret's paper, the first few left empty."""
    paper = draw("2.1", student, SECRET.strip().encode(), banks=banks)
    text = path.read_text()
    for q in paper.questions[n_wrong:]:
        reply = " ".join(q.answer) if isinstance(q.answer, tuple) else str(q.answer)
        text = text.replace(f'  {q.id}: ""', f'  {q.id}: "{reply}"')
    path.write_text(text)


def test_a_class_is_dealt_collected_and_marked(tmp_path, secret, banks):
    out = tmp_path / "papers"
    paths = collected.deal("2.1", ["ada", "grace", "Zoë O'Neil"], secret, out, banks)
    assert [p.name for p in paths] == ["ada.yaml", "grace.yaml", "Zoë O'Neil.yaml"]
    assert len({p.read_text() for p in paths}) == 3
    fill(paths[0], "ada", banks=banks)
    fill(paths[1], "grace", n_wrong=3, banks=banks)
    rows = collected.mark_all([out], secret, banks)
    assert [(r.mark.paper.student, r.mark.n_right, r.mark.passed) for r in rows] == [
        ("Zoë O'Neil", 0, False),
        ("ada", 10, True),
        ("grace", 7, False),
    ]
    assert SECRET.strip() not in "".join(p.read_text() for p in paths)


def test_answers_to_another_paper_get_no_mark(tmp_path, secret, banks):
    ada, grace = collected.deal("2.1", ["ada", "grace"], secret, tmp_path / "p", banks)
    fill(ada, "ada", banks=banks)
    grace.write_text(ada.read_text().replace('"ada"', '"grace"'))
    public = tmp_path / "public.yaml"
    public.write_text(replies.template(draw("2.1", "eve", "1", banks=banks)))
    rows = collected.mark_all([ada, grace, public], secret, banks)
    assert [bool(r.mark) for r in rows] == [True, False, False]
    assert "the replies are for paper" in rows[1].error


def test_a_second_file_of_a_student_and_unreadable_files_are_named(tmp_path, secret, banks):
    (ada,) = collected.deal("2.1", ["ada"], secret, tmp_path / "p", banks)
    again = tmp_path / "p" / "zz.yaml"
    again.write_text(ada.read_text())
    broken = tmp_path / "p" / "zzz.json"
    broken.write_text("{")
    bare = tmp_path / "p" / "bare.yaml"
    bare.write_text("heads: 3")
    foreign = tmp_path / "p" / "foreign.yaml"
    foreign.write_text("quiz: '2.1'\nanswers: {no-such-question: a}")
    other = tmp_path / "p" / "other.yaml"
    other.write_text("quiz: '8.8'\nanswers: {a: b}")
    errors = {r.path.name: r.error for r in collected.mark_all([tmp_path / "p"], secret, banks)}
    assert errors.pop("ada.yaml") == ""
    for name, words in {
        "zz.yaml": "ada has handed in ada.yaml already",
        "zzz.json": "not JSON",
        "bare.yaml": "does not say which quiz",
        "foreign.yaml": "'no-such-question' is not on this paper",
        "other.yaml": "there is no quiz '8.8'",
    }.items():
        assert words in errors.pop(name)
    assert not errors


def test_a_secret_must_be_long_and_names_must_be_names_of_files(tmp_path, secret, banks):
    short = tmp_path / "short"
    short.write_text("abc\n")
    with pytest.raises(ReplyError, match="3 bytes, want at least 16"):
        collected.read_secret(short)
    with pytest.raises(ReplyError, match="cannot be read"):
        collected.read_secret(tmp_path / "none")
    for name in ("../eve", "a/b", "..", "", "a\nb"):
        with pytest.raises(ReplyError, match="cannot be the name"):
            collected.deal("2.1", [name], secret, tmp_path / "p", banks)
    with pytest.raises(ReplyError, match="no such file"):
        collected.mark_all([tmp_path / "none"], secret, banks)


def test_without_a_secret_the_public_draw_of_the_file_is_marked(tmp_path, banks):
    path = tmp_path / "ada.yaml"
    path.write_text(replies.template(draw("2.1", "ada", "5", banks=banks)))
    (row,) = collected.mark_all([path], None, banks)
    assert (row.mark.paper.seed, row.mark.n_right) == ("5", 0)
    assert row.cells()[:5] == ["ada", "2.1", "0", "10", "no"]
