"""Similarity: what is found, what does not count, and that nobody is accused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import handout, similar_page, similarity
from autograder.errors import CourseError

TINY = ["--course", str(Path(__file__).parent / "tiny")]
ONE = '''
def center(x, weight):
    """Words of mine."""
    import numpy as np
    # first the mean
    total = np.zeros(x.shape[0])
    for row in range(x.shape[0]):
        for column in range(x.shape[1]):
            total[row] = total[row] + x[row, column] / x.shape[1]
    result = np.empty_like(x)
    for row in range(x.shape[0]):
        result[row] = (x[row] - total[row]) * weight
    return result
'''
RENAMED = """
def center(rows, scale):
    import numpy as np
    m = np.zeros(rows.shape[0])
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):   # sum them up
            m[i] = m[i] + rows[i,j]/rows.shape[1]
    out = np.empty_like(rows)
    for i in range(rows.shape[0]):
        out[i] = (rows[i] - m[i])*scale
    return out
"""
OTHER = """
def center(x, weight):
    moved = x - x.mean(axis=-1, keepdims=True)
    if moved.dtype != x.dtype:
        moved = moved.astype(x.dtype)
    assert moved.shape == x.shape, "same shape"
    scaled = [line * weight for line in moved]
    try:
        return np.stack(scaled)
    except ValueError as error:
        raise RuntimeError("nothing to stack") from error
"""


def made(name, source, ours=frozenset(), kind="student"):
    return similarity.text(name, kind, {"center": source}, ours)


def test_renaming_comments_and_layout_change_nothing():
    found = similarity.compare("a", [made("ada", ONE), made("bob", RENAMED), made("eve", OTHER)])
    (pair,) = found.pairs
    assert (pair.a, pair.b, pair.share) == ("ada", "bob", 1.0)


def test_other_code_is_not_listed():
    assert similarity.compare("a", [made("ada", ONE), made("eve", OTHER)]).pairs == ()


def test_what_the_handout_gave_does_not_count():
    given_ = similarity.hashes(similarity.tokens(ONE))
    ours = frozenset(int(h) for h in given_)
    assert made("ada", ONE, ours).runs == {}
    assert similarity.compare("a", [made("ada", ONE, ours)]).too_short == ("ada",)


def test_a_pasted_solution_shows_under_other_names():
    known = [made("reference", ONE, kind="reference"), made("oracle.py", OTHER, kind="oracle")]
    found = similarity.compare("a", [made("bob", RENAMED), made("eve", OTHER), *known])
    assert [(p.a, p.b, p.share) for p in found.known] == [
        ("bob", "reference: reference", 1.0),
        ("eve", "oracle: oracle.py", 1.0),
    ]
    assert found.pairs == ()


def test_a_passage_that_few_have_weighs_more():
    crowd = [made(f"s{i}", OTHER) for i in range(10)]
    pairs = similarity.compare("a", [made("ada", ONE), made("bob", RENAMED), *crowd])
    assert [(p.a, p.b) for p in pairs.pairs] == [("ada", "bob")]
    assert pairs.groups == (tuple(f"s{i}" for i in range(10)),)
    two = similarity.compare("a", crowd[:2]).pairs[0].weight
    assert pairs.pairs[0].weight / pairs.pairs[0].n_common > two / 40


def test_the_same_class_in_another_order_gives_the_same_list():
    crowd = [made("ada", ONE), made("bob", RENAMED), made("eve", OTHER), made("x", ONE + OTHER)]
    first, second = (similarity.compare("a", c) for c in (crowd, crowd[::-1]))
    assert first == second


def test_another_process_picks_the_same_runs():
    code = (
        "import sys; from autograder import similarity as s\n"
        "print(sorted(s.text('a', 'student', {'h': sys.stdin.read()}, frozenset()).runs))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code], input=ONE, capture_output=True, text=True,
            cwd=Path(__file__).resolve().parents[2], env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert said[0] == said[1] == f"{sorted(made('a', ONE).runs)}\n"


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_source_has_tokens_and_its_pieces_are_the_source(source):
    one = made("a", source)
    assert all(0 <= t.start < t.end <= len(source) for t in similarity.tokens(source))
    pieces = similarity.marked(one, made("b", ONE))["center"]
    assert "".join(text for _, text in pieces) == source


def test_what_both_have_is_marked():
    pieces = similarity.marked(made("a", ONE), made("b", RENAMED))["center"]
    common = "".join(text for both, text in pieces if both)
    assert "total[row] = total[row] + x[row, column] / x.shape[1]" in common
    assert "".join(text for _, text in pieces) == ONE


def test_the_page_runs_nothing_escapes_and_accuses_nobody():
    evil = "<script>alert(1)</script>"
    texts = [made(evil, ONE + f"# {evil}\n"), made("bob", RENAMED + f"s = '{evil}'\n")]
    known = made("reference", OTHER, kind="reference")
    found = similarity.compare("a", [*texts, known], ["\x1b[31mred"])
    html = similar_page.page(found, [*texts, known], evil)
    assert "<script" not in html
    assert "\x1b" not in html
    assert "default-src &#39;none&#39;" in html
    assert "not a finding" in html
    words = re.sub(r"<[^>]*>", " ", html).lower()
    for word in ("plagiar", "cheat", "copied", "suspect", "guilty", "offen", "violat"):
        assert word not in words


def test_the_oracle_and_all_right_solutions_are_compared_with(tiny):
    names = {(t.kind, t.name) for t in similarity.known_texts(tiny, frozenset())}
    assert {("reference", "reference"), ("alternate", "loops"), ("oracle", "meaning.py")} <= names
    assert not [n for k, n in names if k == "wrong" or n in ("checks.py", "handout.py")]


def test_the_command_writes_page_and_section_and_names_what_it_could_not_read(
    tmp_path, tiny, tiny_sources, command
):
    folder = tmp_path / "submitted"
    sources = {"ada": ONE, "bob": RENAMED, "eve": OTHER, "zoe": tiny_sources["stub"]["center"]}
    for student, source in sources.items():
        path = folder / student / tiny.id / f"{tiny.id}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(handout.fill(tiny.handout, {"center": source})))
    broken = folder / "kim" / tiny.id / f"{tiny.id}.ipynb"
    broken.parent.mkdir(parents=True)
    broken.write_text("{")
    said = json.loads(command("similar", "1", "--dir", tmp_path, "--json", *TINY))
    assert [(p["a"], p["b"]) for p in said["pairs"]] == [("ada", "bob")]
    assert (said["too_short"], said["unreadable"]) == (["zoe"], ["kim"])
    page = (tmp_path / "reports" / "01_tiny.similar.html").read_text(encoding="utf-8")
    assert "<mark>" in page
    assert "3 compared: 1 pairs" in command("similar", "1", "--dir", tmp_path, *TINY)
    section = similar_page.section(tmp_path, tiny.id)
    assert 'href="01_tiny.similar.html"' in section
    assert "ada, bob" in section
    assert similar_page.section(tmp_path, "02_other") == ""
    with pytest.raises(CourseError, match="no submission"):
        command("similar", "1", "--dir", tmp_path, "--students", "nobody", *TINY)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "copydetect.utils", None)
    similarity._winnow.cache_clear()
    with pytest.raises(CourseError, match=r"pip install 'minengine\[similarity\]'"):
        made("a", ONE)


def test_a_result_is_plain_data():
    found = similarity.compare("a", [made("ada", ONE), made("bob", RENAMED)])
    assert json.loads(json.dumps(asdict(found)))["pairs"][0]["a"] == "ada"
