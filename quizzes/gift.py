"""A paper as GIFT, the text that Moodle imports questions from.

Owns: GIFT's notation and its escapes. Must not know: other formats, files, what the user is told.
Read before: ``portable.py``. Source: docs.moodle.org, GIFT format; what Moodle makes of it was read
off its importer, question/format/gift.

Texts are HTML. A line to type is plain text, in which ``*`` would stand for anything.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from . import markup, portable, units
from .paper import Asked, Paper

ESCAPES = str.maketrans({c: f"\\{c}" for c in "\\~=#{}:"} | {"\n": "\\n"})
ARROW = "->"  # between the halves of a pair: there is no escape for it


def write(paper: Paper) -> str:
    """The questions of a paper, an empty line between them."""
    title = " ".join(paper.plan.title.split())
    head = f"// Quiz {paper.plan.quiz}, {title}. Paper {paper.digest}\n"
    return "\n".join([head, *(question(q) for q in paper.questions)])


def question(q: Asked) -> str:
    """One question: its name and text, then its answers and the explanation in braces."""
    text = portable.question(q) + portable.code(q)
    why = markup.html(q.why) + (portable.reasons(q) if q.kind == "order" else "")
    answers = "\n".join(KINDS[q.kind](q))
    return f"::{escaped(q.id)}::[html]{escaped(text)} {{\n{answers}\n####{escaped(why)}\n}}\n"


def escaped(text: str) -> str:
    """A text in which no character is GIFT's own, on one line."""
    return text.translate(ESCAPES)


def answer(sign: str, text: str, why: str) -> str:
    """One answer, after its sign and weight, and what is told to those who give it."""
    return sign + text + (f"#{escaped(markup.html(why))}" if why else "")


def choice(sign: str, html: str, why: str) -> str:
    """An answer to choose."""
    return answer(sign, escaped(html), why)


def one_of(q: Asked) -> list[str]:
    """One of several. A wrong one has its weight said, lest its text be read as a weight."""
    return [
        choice("=" if o.right else "~%0%", markup.inline_html(o.text), o.why) for o in q.options
    ]


def some_of(q: Asked) -> list[str]:
    """Several of several: right ones share 100 %, and a wrong one takes everything."""
    share = f"{100 / len(q.answer):.5f}".rstrip("0").rstrip(".")  # digits that Moodle knows
    return [
        choice(f"~%{share if o.right else -100}%", markup.inline_html(o.text), o.why)
        for o in q.options
    ]


def number(q: Asked) -> list[str]:
    """Each number with its margin."""
    rows = [
        (f"={'%100%' if n.right else '%0%'}", n, units.decimal(n.high - n.value))
        for n in portable.numbers(q)
    ]
    return ["#", *(answer(s, f"{units.decimal(n.value)}:{by}", n.why) for s, n, by in rows)]


def line(q: Asked) -> list[str]:
    """A line to type; one of several where a line has an arrow."""
    if has_arrow(q):
        rows = [(q.answer, "=", ""), *((m.text, "~%0%", m.why) for m in q.mistakes)]
        return [
            choice(sign, f"<code>{escape(text, quote=False)}</code>", why)
            for text, sign, why in rows
        ]
    return [
        answer("=%100%" if n.right else "=%0%", escaped(n.text.replace("*", "\\*")), n.why)
        for n in portable.lines(q)
    ]


def has_arrow(q: Asked) -> bool:
    """Would a line to type be taken for a pair?"""
    return q.kind == "code" and any(ARROW in n.text for n in portable.lines(q))


def order(q: Asked) -> list[str]:
    """Pairs of an item and its place."""
    return [
        f"={escaped(markup.inline_html(o.text))} {ARROW} {q.answer.index(o.letter) + 1}"
        for o in q.options
    ]


KINDS: dict[str, Callable[[Asked], list[str]]] = {
    "choice": one_of,
    "choices": some_of,
    "number": number,
    "code": line,
    "order": order,
}
