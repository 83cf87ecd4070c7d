"""Item statistics, against NumPy and by hand."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from autograder import items, report
from autograder.errors import CourseError

TINY = ["--course", str(Path(__file__).parent / "tiny")]


def record(student, points, seconds=0.5):
    """A record in which check i got ``points[i]`` of 2."""
    rows = [
        {
            "check": f"c{i}", "hole": "h", "title": f"t{i}", "points": p, "max_points": 2.0,
            "status": "passed" if p == 2 else "failed", "tag": "" if p == 2 else f"tag{i}",
            "seconds": 0.1 * (i + 1),
        }
        for i, p in enumerate(points)
    ]  # fmt: skip
    return {"student": student, "seconds": seconds, "results": rows, "notes": []}


def klass(n=60, checks=4, seed=1):
    """Students with an ability, and checks of different difficulty."""
    rng = random.Random(seed)
    ability = [rng.gauss(0, 1) for _ in range(n)]
    return [
        record(f"s{i:03d}", [2.0 * (a + rng.gauss(0, 0.7) > k - 1.5) for k in range(checks)])
        for i, a in enumerate(ability)
    ]


def test_difficulty_and_discrimination_are_numpys():
    records = klass()
    found = items.of(records)
    points = np.array([[r["points"] for r in one["results"]] for one in records])
    for i, item in enumerate(found.items):
        rest = points.sum(1) - points[:, i]
        assert item.difficulty == pytest.approx(points[:, i].mean() / 2)
        assert item.discrimination == pytest.approx(np.corrcoef(points[:, i], rest)[0, 1])
        assert item.tags == {f"tag{i}": int((points[:, i] < 2).sum())}


def test_an_item_that_all_pass_or_that_stands_alone_has_no_discrimination():
    same = items.of([record("a", [2, 0]), record("b", [2, 2])]).items
    assert [i.discrimination for i in same] == [None, None]
    assert items.of([record("a", [2]), record("b", [0])]).items[0].discrimination is None
    assert items.of([]).items == ()


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ([(0, 4)] * 11 + [(2, 0)] * 11, "do well elsewhere fail it"),
        ([(0, 4)] * 20 + [(2, 4)], "hardly anybody"),
        ([(2, 4)] * 30, "nearly everybody"),
        ([(0, 4), (2, 4), (0, 0), (2, 0)] * 6, "says little"),
        ([(0, 4)] * 3, ""),
        ([(2, 4)] * 11 + [(0, 0)] * 11, ""),
    ],
)
def test_what_an_instructor_should_look_at_is_said(item, words):
    made = items.Item("c", "t", 2.0)
    for points, rest in item:
        made.add(points, points + rest)
    assert words in made.remark
    assert bool(made.remark) == bool(words)


def test_attempts_are_told_apart_by_the_verdict():
    found = items.of(
        [record("a", [2, 2]), record("b", [2, 0]), record("x", [0, 0])], {"a": 1, "b": 4}
    )
    assert [i.attempts for i in found.items] == [
        {True: [1, 4], False: []},
        {True: [1], False: [4]},
    ]
    assert found.attempts == (1, 4)


def test_the_slowest_are_the_slowest():
    found = items.of(record(f"s{i:02d}", [2, 2], seconds=float(i % 13)) for i in range(40))
    assert [s.seconds for s in found.slow] == [12.0] * 3 + [11.0] * 3 + [10.0] * 3 + [9.0]
    assert found.slow[0].check == "c1"


def paper(student, right):
    questions = [{"id": q, "kind": "number", "right": r} for q, r in right.items()]
    return {"quiz": "2.1", "student": student, "error": "", "questions": questions}


def test_questions_of_a_quiz_are_items_against_the_rest_of_their_paper():
    papers = [
        paper("a", {"q1": True, "q2": True, "q3": True}),
        paper("b", {"q1": False, "q2": False, "q4": False}),
        paper("c", {"q1": True, "q2": True, "q4": False}),
        {"file": "x", "error": "cannot be read"},
    ]
    (found,) = items.of_quiz(papers).values()
    q1 = found[0]
    assert (q1.name, q1.n, q1.difficulty) == ("q1", 3, pytest.approx(2 / 3))
    assert q1.rest == [1.0, 0.0, 0.5]
    assert q1.discrimination == pytest.approx(np.corrcoef([1, 0, 1], [1, 0, 0.5])[0, 1])


@pytest.mark.parametrize("papers", [3, ["x"], [{"questions": [{}]}], [{"questions": 5}]])
def test_what_is_no_quiz_is_said(papers):
    with pytest.raises(CourseError, match="quiz mark --json"):
        items.of_quiz(papers)


def test_the_section_escapes_and_stands_in_the_report(tmp_path):
    evil = "<script>alert(1)</script>"
    rows = klass(20)
    for row in rows:
        row |= {"sandbox": "bubblewrap", "assignment": "a", "key": "", "digest": ""}
        row["results"][0] |= {"tag": evil, "title": evil, "check": evil, "hole": evil}
    rows[0]["student"] = evil
    section = items.section(items.of(rows, {"s001": 2}), items.of_quiz([paper(evil, {evil: True})]))
    html = report.write(tmp_path, "a", rows, tmp_path / "r.html", sections=[section]).read_text(
        encoding="utf-8"
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") > 5
    assert "Checks as items" in html
    assert "Slowest submissions" in html


def test_the_command_takes_what_quiz_mark_printed(tmp_path, command):
    folder = tmp_path / ".autograder" / "results"
    folder.mkdir(parents=True)
    fields = {"key": "k", "assignment": "01_tiny", "digest": "", "sandbox": "bubblewrap"}
    lines = [json.dumps(r | fields) for r in klass(3)]
    (folder / "01_tiny.jsonl").write_text("\n".join(lines) + "\n")
    marks = tmp_path / "marks.json"
    marks.write_text(json.dumps([paper("a", {"q1": True, "q2": False})]))
    args = ("report", "1", "--dir", tmp_path, "--quiz", marks, *TINY)
    said = json.loads(command(*args, "--json"))
    assert [c["item"] for c in said["checks"]] == ["c0", "c1", "c2", "c3"]
    assert [q["item"] for q in said["quizzes"]["2.1"]] == ["q1", "q2"]
    assert "Quiz 2.1" in Path(said["page"]).read_text(encoding="utf-8")
    marks.write_text("[")
    with pytest.raises(CourseError, match="cannot be read"):
        command(*args)
