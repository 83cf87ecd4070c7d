"""The kill matrix as a page: every check and submission, each failure's tag, what is off marked."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from autograder import matrix_page
from autograder.cli.main import app
from autograder.verify import Matrix, Row

CHECKS = ("center_rows", "center_dtype", "tally_counts", "tally_ties")
EVIL = "<script>alert(1)</script>\x1b[31m"


class Cells(HTMLParser):
    """name of a row -> (class, text) of its cells; and every tag of the page."""

    def __init__(self, html):
        super().__init__()
        self.rows, self.tags, self.now = {}, set(), None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag in ("th", "td"):
            self.now = (tag, dict(attrs).get("class", ""), "")

    def handle_data(self, data):
        if self.now:
            self.now = (*self.now[:2], self.now[2] + data)

    def handle_endtag(self, tag):
        if self.now and tag == self.now[0]:
            if tag == "th":
                self.rows[self.now[2]] = self.latest = []
            else:
                self.latest.append(self.now[1:])
            self.now = None


def page(tiny, *rows, problems=()):
    matrix = Matrix(tiny.id, CHECKS, rows, tuple(problems))
    return matrix_page.page([matrix], {tiny.id: tiny}, seeds=3, sandbox="bubblewrap")


def test_a_cell_says_the_tag_and_what_is_off_is_marked(tiny):
    tags = dict.fromkeys(CHECKS, "")
    sound = Row("no_mean", "wrong", tags | {"center_rows": "no-mean"}, 4, ())
    named = ("tally_ties: passes, want last-of-equals", "center_rows: tag x, want y: got 1")
    off = Row("last", "wrong", tags | {"center_rows": "x"}, 4, named)
    hostile = Row("dies", "exploit", {"center_rows": "killed"}, 0, ())
    html = page(tiny, sound, off, hostile, problems=["tally_ties: no wrong submission fails it"])
    rows = Cells(html).rows
    dot = ("passed", "·")
    assert rows["no_mean"] == [("points", "4"), ("failed", "no-mean"), dot, dot, dot]
    assert rows["last"] == [("points", "4"), ("off", "x"), dot, dot, ("off", "passed")]
    assert rows["dies"][1:] == [("failed", "killed"), *[("none", "–")] * 3]
    assert rows["wrong ones that fail it"][1:] == [("", "2"), *[("off", "0")] * 3]
    for said in (*named, "no wrong submission fails it", "3 things are off."):
        assert said in html


def test_a_sound_matrix_says_so_and_on_how_many_seeds(tiny):
    html = page(tiny, Row("reference", "reference", dict.fromkeys(CHECKS, ""), 6, ()))
    assert "Sound: " in html
    assert "on 3 seeds, sandbox bubblewrap" in html
    assert "is off.</p>" not in html


def test_nothing_in_a_matrix_becomes_markup(tiny):
    plain = page(tiny, Row("x", "wrong", {"center_rows": "x"}, 0, ("x",)), problems=["x"])
    html = page(tiny, Row(EVIL, "wrong", {"center_rows": EVIL}, 0, (EVIL,)), problems=[EVIL])
    assert Cells(html).tags == Cells(plain).tags
    assert "\x1b" not in html
    assert "default-src &#39;none&#39;" in html
    assert "unsafe" not in html


@pytest.mark.parametrize("sandbox", ["none", ""])
def test_a_matrix_without_a_sandbox_is_stamped(tiny, sandbox):
    assert "UNSANDBOXED" in matrix_page.page([], {}, seeds=1, sandbox=sandbox)


def test_the_command_writes_the_page_of_the_whole_bank(tiny, tmp_path):
    path = tmp_path / "new" / "m.html"
    words = ["verify", "1", "--seeds", "1", "--course", str(tiny.root), "--html", str(path)]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    rows = Cells(path.read_text()).rows
    known = {s.name for s in tiny.solutions()} | {"stub"}
    assert known <= set(rows)
    assert ("failed", "no-mean") in rows["no_mean"]
