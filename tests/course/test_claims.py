"""Numbers that readers see come from code that ran; each point has its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from course import claims, coverage
from course.site import self_checks
from course.site.execution import Cell
from course.site.lessons import Claim, Staged

ROOT = Path(__file__).resolve().parent.parent.parent
LESSONS = sorted((ROOT / "course" / "lessons").glob("*.md"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda p: p.stem)
def test_no_number_in_a_lessons_prose_is_typed(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    assert [(n, number, lines[n - 1]) for n, number in claims.typed(text)] == []


@pytest.mark.parametrize(
    "line",
    [
        "It takes 140 MB a token.",
        "That is 2.5 times as much.",
        "The model has 4 million parameters.",
        ":::{pitfall}\nThe error is 0.3 at most.\n:::",
        "| layers | 80 |",
        "- half of 12 is six",
        "```{note}\nIt is 17.\n```",
    ],
)
def test_a_typed_number_is_found(line):
    assert len(claims.typed(f"# Title\n\n{line}\n")) >= 1


@pytest.mark.parametrize(
    "line",
    [
        "Llama 2 7B in Q8_0, beside GPT-2 and C++17 on AVX2.",
        "Vaswani et al. 2017, section 3.2 and equation 4.",
        "It is {eval}`round(12.5)` bytes, and `x[3]` is $2^{10}$.",
        "```{code-cell} python\nx = 12\n```",
        "```text\n12\n```",
        "With G = 1 and pairs (2i, 2i + 1) at position 0.",
        "1. Read [lesson 2.2](2.2.md#part-3).",
    ],
)
def test_names_code_and_formulas_are_no_typed_numbers(line):
    assert claims.typed(f"# Title 7\n\n{line}\n") == []


def test_a_lessons_numbers_are_listed_with_what_computes_them():
    record = "application/papermill.record/text/plain"
    glue = {
        "output_type": "display_data",
        "data": {record: "'327,680'"},
        "metadata": {"scrapbook": {"name": "application/papermill.record/n1"}},
    }
    stream = {"output_type": "stream", "name": "stdout", "text": "2.5 MiB of 1,024\n"}
    cells = [
        Cell(3, "_glue('n1', _show(bytes_), display=False)", ("remove-cell",), (glue,)),
        Cell(9, "size = 2.5\nprint(size)", (), (stream,)),
        Cell(12, "print('none')", (), ({**stream, "text": "none"},)),
    ]
    staged = Staged("", (Claim("n1", 5, "bytes_"),), ())
    shown = list(claims.of_lesson("2.3.md", staged, cells))
    assert [(s.where, s.value) for s in shown] == [
        ("2.3.md:5", "327,680"),
        ("2.3.md:9", "2.5, 1,024"),
    ]
    assert "print(size)" in shown[1].code


def test_every_computed_answer_is_listed_with_its_function():
    shown = list(claims.of_quizzes(self_checks.banks()))
    assert len({s.where.split(":")[0] for s in shown}) == 6
    computed = [s for s in shown if s.code.startswith("quizzes.answers.")]
    assert len(computed) > len(shown) / 2
    assert all(s.where.startswith("quizzes/bank/") for s in shown)


def test_every_number_of_the_interview_bank_is_listed():
    shown = list(claims.of_interviews())
    assert {s.where.split(":")[0].rsplit("/", 1)[1] for s in shown} >= {
        "concepts.yaml", "design.yaml", "technique.yaml"
    }  # fmt: skip
    assert all(s.code for s in shown)


@pytest.mark.parametrize("point", coverage.points(), ids=lambda p: f"{p.heading}: {p.text}")
def test_a_point_of_the_course_has_its_place(point):
    assert [wrong for place in point.places if (wrong := place.missing())] == []


def test_a_place_that_does_not_exist_is_said():
    assert "no such file" in coverage.Place("course/lessons/9.9.md", "").missing()
    assert "nothing says 'zzz-'" in coverage.Place("course/glossary.md", "zzz-").missing()
