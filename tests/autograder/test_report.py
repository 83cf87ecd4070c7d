"""The class report for classes of any size."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from autograder import report
from autograder.hints import Hint

HINTS = {"no-mean": Hint("The mean stays", "Take it off.")}
EVIL = "<script>alert(1)</script>$x$"


def record(i, tag="", **changes):
    rows = [
        {
            "check": f"c{k}", "hole": hole, "title": f"check {k}", "points": 0.0 if bad else 2.0,
            "max_points": 2.0, "status": "failed" if bad else "passed", "tag": tag if bad else "",
            "message": "", "hint": "", "visibility": "visible", "seconds": 0.0, "note": "",
            "replay": "",
        }
        for k, hole in enumerate(("center", "center", "Tally"))
        for bad in [bool(tag) and k == 0]
    ]  # fmt: skip
    made = {
        "key": "k", "student": f"s{i:04d}", "assignment": "01_tiny", "digest": "", "notes": [],
        "sandbox": "bubblewrap", "seconds": 0.1 + i % 7 / 10, "results": rows,
    }  # fmt: skip
    return made | changes


def write(tmp_path, records):
    path = tmp_path / "reports" / "01_tiny.html"
    return report.write(tmp_path, "01_tiny", records, path, hints=HINTS, title="Tiny").read_text()


@pytest.mark.parametrize("n", [0, 1, 24, 2000])
def test_a_class_of_any_size_has_a_report(tmp_path, n):
    html = write(tmp_path, (record(i, "no-mean" if i % 3 == 0 else "") for i in range(n)))
    assert f"<dt>submissions</dt><dd>{n}</dd>" in html
    assert html.count("<tr>") == (n + 1 if n else 0)
    assert html.count("<svg") == (4 if n else 0)
    assert ("Nothing is graded yet" in html) == (n == 0)
    if n:
        assert "no-mean: The mean stays" in html


def test_the_numbers_are_those_of_the_records(tmp_path):
    html = write(tmp_path, [record(0), record(1, "no-mean"), record(2, "no-mean"), record(3)])
    assert "<dt>mean</dt><dd>83.3" in html
    assert "<dt>full marks</dt><dd>2<" in html
    everyone = report.Class()
    for i in range(4):
        everyone.add(record(i, "no-mean" if i in (1, 2) else ""))
    assert everyone.passing == {"c0": 2, "c1": 4, "c2": 4}
    assert everyone.tags == {"no-mean": 2}
    assert sum(everyone.seconds) == pytest.approx(1.0)


def test_a_class_without_a_mistake_has_a_report(tmp_path):
    html = write(tmp_path, [record(0), record(1)])
    assert "None: every check passed." in html
    assert html.count("<svg") == 3


def test_the_same_records_give_the_same_page(tmp_path):
    rows = [record(i, "no-mean" if i % 2 else "") for i in range(5)]
    assert write(tmp_path / "a", rows) == write(tmp_path / "b", iter(rows))


def test_a_page_loads_and_runs_nothing(tmp_path):
    html = write(tmp_path, [record(0, "no-mean"), record(1)])
    assert "default-src &#39;none&#39;" in html
    assert "<script" not in html
    links = re.findall(r'(?:src|href|url\()="?([^"\')]*)', html)
    assert not [x for x in links if not x.startswith("#")]


def test_charts_are_whole_svg_with_ids_of_their_own(tmp_path):
    html = write(tmp_path, [record(0, "no-mean"), record(1)])
    found = [ElementTree.fromstring(s) for s in re.findall(r"<svg.*?</svg>", html, re.S)]
    ids = [e.get("id") for svg in found for e in svg.iter() if e.get("id")]
    assert len(found) == 4
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("place", ["student", "tag", "title", "sandbox", "hole"])
def test_no_text_becomes_markup_or_mathematics(tmp_path, place):
    made = record(0, "no-mean")
    if place in ("student", "sandbox"):
        made[place] = EVIL.replace("/", "")
    else:
        made["results"][0][place] = EVIL
    html = write(tmp_path, [made])
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "$x$" in html


def test_submissions_without_a_sandbox_are_counted_and_stamped(tmp_path):
    html = write(tmp_path, [record(0), record(1, sandbox="none"), record(2, sandbox="none")])
    assert "UNSANDBOXED: 2 of 3 submissions" in html
    assert "bubblewrap (1)" in html
    assert "UNSANDBOXED" not in write(tmp_path, [record(0)])


def test_names_lead_to_the_feedback_pages_that_exist(tmp_path):
    page = tmp_path / "feedback" / "s0000" / "01_tiny" / "01_tiny.html"
    page.parent.mkdir(parents=True)
    page.write_text("x")
    html = write(tmp_path, [record(0), record(1)])
    assert re.findall(r'<a href="([^"]*)"', html) == ["../feedback/s0000/01_tiny/01_tiny.html"]
