"""Results are appended, survive a crash at any byte, and are found by student and key."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autograder import results, score
from autograder.results import Results


def record(student="ann", key="k", rows=(), **more):
    return {
        "key": key,
        "student": student,
        "assignment": "01_tiny",
        "digest": "d",
        "sandbox": "s",
        "seconds": 0.5,
        "notes": [],
        "results": list(rows),
        **more,
    }


def row(check="a", hole="h", points=1.0, most=1.0, status="passed", tag=""):
    return {
        "check": check,
        "hole": hole,
        "points": points,
        "max_points": most,
        "status": status,
        "tag": tag,
    }


def test_the_last_record_of_a_student_counts_and_the_first_stays_in_the_file(tmp_path):
    path = tmp_path / "deep" / "r.jsonl"
    found = Results(path)
    for key in ("old", "new"):
        found.append(record(key=key))
    found.append(record("bob"))
    again = Results(path)
    assert [r["key"] for r in again] == ["new", "k"]
    assert again.latest("ann")["key"] == "new"
    assert again.latest("eve") is None
    assert "bob" in again
    assert len(again) == 2
    assert len(path.read_text().splitlines()) == 3


@given(cut=st.integers(0, 400))
@example(cut=130)  # between a record and its newline
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
def test_a_file_cut_at_any_byte_loses_the_cut_record_alone_and_goes_on(tmp_path, cut):
    path = tmp_path / "r.jsonl"
    path.unlink(missing_ok=True)
    whole = Results(path)
    for student in ("ann", "bob", "cy"):
        whole.append(record(student))
    data = path.read_bytes()
    path.write_bytes(data[: min(cut, len(data))])
    ends = [i + 1 for i, byte in enumerate(data) if byte == ord("\n")]
    left = Results(path)
    assert len(left) == sum(end - 1 <= cut for end in ends)
    left.append(record("dee"))
    assert "dee" in Results(path)
    assert len(Results(path)) == len(left)
    assert left.get("dee") == record("dee")


@given(st.binary(max_size=200))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None
)
def test_any_bytes_can_stand_in_the_file(tmp_path, garbage):
    path = tmp_path / "r.jsonl"
    path.write_bytes(garbage)
    found = Results(path)
    assert len(found) == 0
    found.append(record())
    assert list(Results(path)) == [record()]


def test_text_of_any_kind_survives(tmp_path):
    found = Results(tmp_path / "r.jsonl")
    odd = record("a\udcffb", notes=["line\nbreak \u2028 \x1b[31m", "\ud800"])
    found.append(odd)
    assert Results(found.path).get("a\udcffb") == odd


def test_a_number_that_is_no_json_is_refused_before_it_is_written(tmp_path):
    found = Results(tmp_path / "r.jsonl")
    with pytest.raises(ValueError, match="JSON"):
        found.append(record(seconds=float("nan")))
    assert len(Results(found.path)) == 0


def test_a_key_depends_on_each_part_and_on_nothing_else():
    parts = {"a": "1", "b": "2"}
    assert results.key(**parts) == results.key(b="2", a="1")
    assert results.key(**parts) != results.key(a="2", b="1")
    assert results.key(a="12") != results.key(a="1", b="2")


def test_a_mark_is_the_sum_of_its_results_per_hole_and_in_all():
    rows = [
        row("a", "h", 1.5, 1.5),
        row("b", "h", 0, 2.0, "failed", "wrong"),
        row("c", "g", 0, 1.0, "timeout", "timeout"),
        row("d", "g", 0, 1.0, "failed", "wrong"),
    ]
    mark = score.mark(record(rows=rows))
    assert (mark.points, mark.max_points) == (1.5, 5.5)
    assert mark.holes == {"h": (1.5, 3.5), "g": (0.0, 2.0)}
    assert mark.tags == ("wrong", "timeout")
    assert not mark.full
    assert mark.percent == pytest.approx(27.27, abs=0.01)


def test_shares_and_tags_of_a_class_count_submissions():
    class_ = [
        record("ann", rows=[row("a"), row("b", status="failed", tag="t")]),
        record(
            "bob", rows=[row("a", status="failed", tag="t"), row("b", status="failed", tag="t")]
        ),
    ]
    assert score.share_passing(class_) == {"a": (1, 2), "b": (0, 2)}
    assert score.commonest_tags(class_) == {"t": 2}


def test_marks_are_pure(tmp_path):
    rows = [row(), row("b", status="failed", tag="t", points=0.0)]
    once = score.mark(record(rows=rows))
    again = score.mark(json.loads(json.dumps(record(rows=rows))))
    assert once == again
