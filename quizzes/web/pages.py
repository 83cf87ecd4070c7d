"""Papers as data for a page, and the piece of HTML in which ``quiz.js`` asks them.

Owns: the fields that ``quiz.js`` reads. Must not know: how a page looks, sites. Read before:
``portable.py``. Next: ``quiz.js``.

A page of a site:

    head    <link rel="stylesheet" href="quiz.css"> <script src="quiz.js" defer></script>
    body    fragment("2.1")

The answers stand in the page, as they can be computed by anybody who has the course: a page is for
learning. Texts come as HTML of ``markup.py``, so the page needs no renderer; numbers come as
floats, and ``quiz.js`` reads replies by the same grammar as ``units.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from quizzes import markup, portable, units
from quizzes.paper import Asked, Option, Paper, draw
from quizzes.replies import how_to_reply
from quizzes.schema import Bank, Plan

HERE = Path(__file__).parent
ASSETS = ("quiz.js", "quiz.css")


def assets() -> tuple[Path, ...]:
    """The files that a page with quizzes loads; they ask for nothing else."""
    return tuple(HERE / name for name in ASSETS)


def paper_page_data(
    quiz: str,
    seed: str | int = "1",
    student: str = "",
    *,
    banks: Mapping[str, Bank] | None = None,
    plans: Mapping[str, Plan] | None = None,
) -> dict[str, Any]:
    """One paper as values that JSON has: the paper of nobody unless ``student`` is given.

    DrawError for a quiz that does not exist, as ``paper.draw``.
    """
    return as_data(draw(quiz, student, seed, banks=banks, plans=plans))


def fragment(
    quiz: str,
    seeds: Sequence[str | int] = (1, 2, 3),
    *,
    banks: Mapping[str, Bank] | None = None,
    plans: Mapping[str, Plan] | None = None,
) -> str:
    """A ``<div>`` in which ``quiz.js`` asks one paper after another, a paper for each seed.

    Without JavaScript it says which command asks the same.
    """
    papers = [paper_page_data(quiz, seed, banks=banks, plans=plans) for seed in seeds]
    data = json.dumps(papers, ensure_ascii=False, separators=(",", ":"))
    # what could end the element, or begin a comment in it, is written as an escape of JSON
    data = data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    name = escape(quiz, quote=True)
    return (
        f'<div class="quiz" data-quiz="{name}">'
        f'<script type="application/json" class="quiz-papers">{data}</script>'
        f"<noscript><p>This quiz needs JavaScript. In a terminal: <code>quiz take {name}</code></p>"
        "</noscript></div>"
    )


def as_data(paper: Paper) -> dict[str, Any]:
    """A paper with its answers, reasons and the units that its numbers may have."""
    used = {q.unit for q in paper.questions if q.kind == "number"}
    return {
        "quiz": paper.plan.quiz,
        "title": paper.plan.title,
        "seed": paper.seed,
        "student": paper.student,
        "paper": paper.digest,
        "n_needed": paper.n_needed,
        "pass_mark": paper.plan.pass_mark,
        "units": {
            name: {"hint": u.hint, "suffixes": {k: float(v) for k, v in u.suffixes.items()}}
            for name, u in units.UNITS.items()
            if name in used
        },
        "questions": [question(q, n) for n, q in enumerate(paper.questions, 1)],
    }


def question(q: Asked, number: int) -> dict[str, Any]:
    """One question: what every kind has, and under ``answer`` what its kind is marked by."""
    return {
        "id": q.id,
        "number": number,
        "kind": q.kind,
        "topic": q.topic,
        "html": markup.html(q.text),
        "code": portable.code(q),
        "how": how_to_reply(q),
        "options": [option(o) for o in q.options],
        "answer": answer(q),
        "shown": f"<code>{escape(q.shown, quote=False)}</code>"
        if q.kind == "code"
        else markup.inline_html(q.shown),
        "why": markup.html(q.why),
    }


def option(o: Option) -> dict[str, Any]:
    """A choice, or an item to be ordered."""
    return {
        "letter": o.letter,
        "html": markup.inline_html(o.text),
        "right": o.right,
        "why": markup.html(o.why),
    }


def answer(q: Asked) -> dict[str, Any]:
    """``letters`` of choices, ``numbers`` with their bounds or ``lines``: the right one first."""
    if q.kind == "number":
        rows = [
            {
                "low": float(n.low),
                "high": float(n.high),
                "right": n.right,
                "why": markup.html(n.why),
            }
            for n in portable.numbers(q)
        ]
        return {"unit": q.unit, "numbers": rows}
    if q.kind == "code":
        rows = [
            {"text": line.text, "right": line.right, "why": markup.html(line.why)}
            for line in portable.lines(q)
        ]
        return {"lines": rows}
    return {"letters": list(q.answer)}
