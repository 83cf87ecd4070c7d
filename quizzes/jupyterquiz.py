"""A paper as JSON for the package jupyterquiz, which asks it in a notebook.

Owns: the fields of its questions. Must not know: other formats, files, what the user is told. Read
before: ``portable.py``. Source: jupyterquiz's README; its scripts (js/) say that texts are HTML, in
which ``$`` begins a formula and ``[a](b)`` is a link, and that a range has no upper end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable

from . import markup, portable
from .paper import Asked, Option, Paper

LITERAL = str.maketrans({"$": "&#36;", "[": "&#91;"})


def write(paper: Paper) -> str:
    """A list of questions; nothing is known there of a paper or a student."""
    data = [question(q) for q in paper.questions]
    return json.dumps(data, ensure_ascii=False, indent=2) + "\n"


def question(q: Asked) -> dict:
    """One question."""
    kind, answers = KINDS[q.kind]
    made = {"question": literal(portable.question(q)), "type": kind, "answers": answers(q)}
    if q.kind == "order":
        rows = "".join(f"<br>{o.letter}) {markup.inline_html(o.text)}" for o in q.options)
        made["question"] += literal(f"<p>Type the letters in order, without spaces.{rows}</p>")
    return made | ({"code": portable.code_text(q)} if q.code else {})


def literal(html: str) -> str:
    """HTML in which no character is jupyterquiz's own."""
    return html.translate(LITERAL)


def told(why: str, *, right: bool) -> str:
    """What is told to those who give an answer."""
    return literal(markup.html(f"**{'Right' if right else 'Wrong'}.** {why}".strip()))


def choices(q: Asked) -> list[dict]:
    """Choices; the explanation stands with those that are right."""
    return [
        {
            "answer": literal(markup.inline_html(o.text)),
            "correct": o.right,
            "feedback": told(choice_why(q, o), right=o.right),
        }
        for o in q.options
    ]


def choice_why(q: Asked, o: Option) -> str:
    """The reason of a choice, and where one choice is the answer, the explanation after it."""
    return f"{o.why}\n\n{q.why}" if o.right and q.kind == "choice" else o.why or q.why


def numbers(q: Asked) -> list[dict]:
    """Ranges, and what is told where none of them fits."""
    rows = [
        {
            "type": "range",
            "range": [float(n.low), math.nextafter(float(n.high), math.inf)],
            "correct": n.right,
            "feedback": told(q.why if n.right else n.why, right=n.right),
        }
        for n in portable.numbers(q)
    ]
    return [*rows, {"type": "default", "feedback": told("", right=False)}]


def lines(q: Asked) -> list[dict]:
    """Lines to type."""
    return typed(
        [(n.text, n.right, q.why if n.right else n.why) for n in portable.lines(q)], match_case=True
    )


def order(q: Asked) -> list[dict]:
    """The letters in order, as one word to type."""
    return typed([("".join(q.answer), True, q.why)], match_case=False, rest=portable.reasons(q))


def typed(rows: list[tuple[str, bool, str]], *, match_case: bool, rest: str = "") -> list[dict]:
    """Texts to type, and what is told where none of them fits."""
    found = [
        {
            "answer": text,
            "correct": right,
            "match_case": match_case,
            "feedback": told(why, right=right),
        }
        for text, right, why in rows
    ]
    return [*found, {"type": "default", "feedback": told("", right=False) + literal(rest)}]


KINDS: dict[str, tuple[str, Callable[[Asked], list[dict]]]] = {
    "choice": ("multiple_choice", choices),
    "choices": ("many_choice", choices),
    "number": ("numeric", numbers),
    "code": ("string", lines),
    "order": ("string", order),
}
