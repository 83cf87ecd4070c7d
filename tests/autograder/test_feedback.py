"""Feedback pages, and the escaping and policy that all pages share."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder import feedback, pages
from autograder.errors import CourseError
from autograder.hints import Hint

HINTS = {"no-mean": Hint("The mean stays", "Take it off.", "The first line.", "[[1, 3]]")}
EVIL = "<script>alert(1)</script> \x1b]0;x\x07 \u202e\"'></pre><img src=x onerror=alert(2)>"


def row(check, **changes):
    made = {
        "check": check, "hole": "center", "title": f"title of {check}", "points": 0.0,
        "max_points": 2.0, "status": "failed", "tag": "no-mean", "message": "got 1, want 2",
        "hint": "the record's hint", "visibility": "visible", "seconds": 0.0, "note": "",
        "replay": f"autograder check 01_tiny.ipynb --only {check} --seed 3",
    }  # fmt: skip
    return made | changes


def record(*rows, **changes):
    made = {
        "key": "k", "student": "ada", "assignment": "01_tiny", "digest": "0" * 64,
        "sandbox": "bubblewrap", "seconds": 0.2, "notes": [], "results": list(rows),
    }  # fmt: skip
    return made | changes


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and all its text."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_a_page_says_status_points_message_hints_and_the_command():
    html = feedback.page(record(row("rows")), hints=HINTS, title="Tiny")
    text = Tags(html).text
    for said in (
        "Tiny", "ada", "of 2 points (0 %)", "0 of 1 checks passed", "✗ failed", "title of rows",
        "0 / 2", "The mean stays.", "Take it off.", "The first line.", "[[1, 3]]", "got 1, want 2",
        "autograder check 01_tiny.ipynb --only rows --seed 3",
    ):  # fmt: skip
        assert said in text


def test_a_hidden_check_has_its_sentence_and_command_and_no_more():
    html = feedback.page(record(row("rows", visibility="hidden", message="not shown")), hints=HINTS)
    assert "hidden check" in html
    assert "Take it off." in html
    assert "--only rows" in html
    assert "The first line." not in html
    assert "[[1, 3]]" not in html


def test_without_a_ladder_the_records_own_sentence_is_shown():
    assert "the record&#39;s hint" in feedback.page(record(row("rows")))


def test_what_passed_is_folded_and_a_note_beside_a_pass_is_shown():
    good = row("rows", status="passed", points=2.0, tag="", message="", note="with your own parts")
    html = feedback.page(record(good))
    assert "with your own parts" in html
    assert "<details>" in html
    assert "<details open>" not in html
    assert "<details open>" in feedback.page(record(good, row("other")))


def test_a_task_that_was_not_begun_is_folded_and_says_so():
    stub = [row(name, status="not-implemented", tag="not-implemented") for name in ("a", "b")]
    html = feedback.page(record(*stub))
    assert "not done yet" in html
    assert "<details open>" not in html
    begun = feedback.page(record(*stub, row("c")))
    assert "not done yet" not in begun
    assert "<details open>" in begun


@pytest.mark.parametrize(
    "place", ["student", "notes", "message", "title", "tag", "note", "sandbox", "replay"]
)
def test_nothing_of_a_student_becomes_markup(place):
    def tags(text):
        if place in ("student", "sandbox", "notes"):
            made = record(row("rows"), **{place: [text] if place == "notes" else text})
        else:
            made = record(row("rows", **{place: text}))
        return Tags(feedback.page(made)).tags

    assert tags(EVIL) == tags("x")


def test_a_page_forbids_everything_but_its_own_style():
    html = feedback.page(record(row("rows")))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    sheet = re.search(r"<style>(.*?)</style>", html, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert not re.search(r'(src|href)="', html)


def test_a_grade_without_a_sandbox_is_stamped():
    assert "UNSANDBOXED" in feedback.page(record(row("rows"), sandbox="none"))
    assert "UNSANDBOXED" not in feedback.page(record(row("rows")))


def test_pages_stand_where_nbgrader_releases_them_from(tmp_path):
    rows = [record(row("rows"), student=name) for name in ("ada", "Bö b<i>")]
    assert feedback.write(tmp_path, "01_tiny", iter(rows), hints=HINTS) == 2
    for name in ("ada", "Bö b<i>"):
        path = tmp_path / "feedback" / name / "01_tiny" / "01_tiny.html"
        assert path.read_text().startswith("<!DOCTYPE html>")
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("name", ["../x", "a/b", "..", ".", "", "a\0b", "a\\b"])
def test_a_student_whose_name_leads_elsewhere_gets_no_page(tmp_path, name):
    with pytest.raises(CourseError, match="no name for a folder"):
        feedback.write(tmp_path, "01_tiny", [record(row("rows"), student=name)])
    assert not list(tmp_path.rglob("*.html"))


@given(st.text(st.characters()))
def test_printable_text_holds_nothing_a_terminal_or_a_browser_obeys(text):
    made = pages.printable(text)
    assert made == pages.printable(made)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", made)
    made.encode()
    if text.isprintable():
        assert made == text


def test_a_long_message_is_cut_and_says_so():
    html = feedback.page(record(row("rows", message="x" * 100_000)))
    assert "… and 96000 more characters" in html
    assert len(html) < 20_000


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    path = pages.write(tmp_path / "a" / "x.html", "old", 0o444)
    with pytest.raises(UnicodeEncodeError):
        pages.write(path, "\ud800")
    assert path.read_text() == "old"
    assert pages.write(path, "new", 0o444).read_text() == "new"
