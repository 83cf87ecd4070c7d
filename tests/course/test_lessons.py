"""What lessons may write: computed numbers in prose, code by name."""

from __future__ import annotations

import pytest

from course.site.closed import closed_by
from course.site.lessons import LessonError, stage
from course.site.symbols import ROOT, SymbolError, find

SYLLABUS = {
    "assignments": {
        "a": {"title": "A", "closed": ["minengine.oracle.softmax", "minengine.kvcache.BlockPool"]},
        "b": {"title": "B", "closed": ["minengine.oracle.softmax"], "published": True},
    }
}


def test_a_number_of_prose_is_computed_after_the_cell_above_it():
    text = "```{code-cell}\nx = 3\n```\n\nIt is {eval}`x + 1`.\n\n```{code-cell}\nx = 5\n```\n"
    staged = stage(text, "lesson")
    assert [(c.line, c.expression) for c in staged.claims] == [(5, "x + 1")]
    before, _, after = staged.text.partition("{glue:text}`n1`")
    assert "_glue('n1', _show(x + 1), display=False)" in before
    assert before.index("x = 3") < before.index("_glue(")
    assert "x = 5" in after


def test_a_number_before_every_cell_is_an_error_with_its_line():
    with pytest.raises(LessonError, match=r"lesson:3: \{eval\} before the first code cell"):
        stage("# Title\n\nIt is {eval}`x`.\n", "lesson")


def test_code_that_is_only_shown_keeps_its_eval():
    text = "````md\n{eval}`x`\n```\ninner\n```\n````\n"
    assert stage(text, "lesson").claims == ()
    assert "{eval}`x`" in stage(text, "lesson").text


def test_prose_in_a_box_of_backticks_is_prose():
    text = "```{code-cell}\nx = 3\n```\n\n```{note}\nIt is {eval}`x`.\n```\n\nAnd {eval}`-x`.\n"
    assert [c.expression for c in stage(text, "lesson").claims] == ["x", "-x"]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("minengine.ops.rms_norm", "cpdef rms_norm(", "out[t, d] = x[t, d] * scale * weight[d]"),
        ("minengine.oracle.rms_norm", "def rms_norm(", "return x / np.sqrt"),
        ("minengine.blocks.BlockQ8_0", "cdef packed struct BlockQ8_0:", "signed char q[32]"),
        ("minengine.sampling.SAMPLERS", "SAMPLERS: tuple", ")"),
        ("minengine.engine.Engine.generate", "def generate(", "return Generation("),
    ],
)
def test_a_symbol_is_found_whole(name, first, last):
    lines = find(name).text.strip().splitlines()
    code = [line.strip() for line in lines if not line.strip().startswith("#")]
    assert code[0].startswith(first)
    assert code[-1].startswith(last)


def test_every_line_of_a_symbol_is_its_files():
    symbol = find("minengine.attention.attend")
    lines = (ROOT / symbol.path).read_text(encoding="utf-8").splitlines()
    assert symbol.text == "\n".join(lines[symbol.first - 1 : symbol.last])


def test_a_symbol_that_is_gone_is_an_error_that_says_what_is_there():
    with pytest.raises(SymbolError, match=r"no norm; it has .*rms_norm"):
        find("minengine.ops.norm")
    with pytest.raises(SymbolError, match="no file minengine/opps"):
        find("minengine.opps.norm")


def test_a_symbol_is_closed_until_every_assignment_that_closes_it_is_published():
    assert closed_by(SYLLABUS, "minengine.oracle.softmax") == ["A"]
    assert closed_by(SYLLABUS, "minengine.kvcache.BlockPool.fork") == ["A"]
    assert closed_by(SYLLABUS, "minengine.kvcache.BlockPools") == []
