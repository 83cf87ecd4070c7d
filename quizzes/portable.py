"""A question of a paper in the terms that other quiz systems share.

Owns: what is asked and told where another program marks: numbers as digits, typed lines by their
characters, reasons beside each other. Must not know: formats, files. Read before: ``marking.py``.
Next: ``gift.py``, ``qti.py``, ``jupyterquiz.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from html import escape

from . import markup, units
from .marking import MISTAKE_TOLERANCE
from .paper import Asked


@dataclass(frozen=True)
class Number:
    """A number that may be typed: ``low`` to ``high`` are taken for it, both included."""

    value: Fraction
    low: Fraction
    high: Fraction
    right: bool
    why: str


@dataclass(frozen=True)
class Line:
    """A line that may be typed, character by character."""

    text: str
    right: bool
    why: str


def asks_unit(q: Asked) -> bool:
    """Is it a number for which we read a unit, and others do not?"""
    return q.kind == "number" and q.unit != "number"


def question(q: Asked) -> str:
    """What is asked, as HTML, without its code."""
    alone = f"\n\nWrite the number alone. Unit: {q.unit}." if asks_unit(q) else ""
    return markup.html(q.text + alone)


def code(q: Asked) -> str:
    """The code that is asked about, as HTML; empty where there is none."""
    return f"<pre><code>{code_text(q)}</code></pre>" if q.code else ""


def code_text(q: Asked) -> str:
    """The same without its elements."""
    return escape(markup.printable(q.code).rstrip(), quote=False)


def numbers(q: Asked) -> list[Number]:
    """The answer, then known mistakes; where two of them fit, the first counts."""
    rows = [(q.answer, q.tolerance, True, "")]
    margin = max(q.tolerance, MISTAKE_TOLERANCE)
    rows += [(units.exact(m.value), margin, False, m.why) for m in q.mistakes]
    return [Number(v, *units.bounds(v, by), right, why) for v, by, right, why in rows]


def lines(q: Asked) -> list[Line]:
    """What is printed, then what known mistakes expect, each as it is and without its spaces."""
    rows = [(q.answer, True, ""), *((m.text, False, m.why) for m in q.mistakes)]
    found: dict[str, Line] = {}
    for text, right, why in rows:
        for variant in (text, "".join(text.split())):
            found.setdefault(variant, Line(variant, right, why))
    return list(found.values())


def reasons(q: Asked) -> str:
    """What is known of items and mistakes, a list as HTML, for formats with one text for all."""
    in_order = (
        sorted(q.options, key=lambda o: q.answer.index(o.letter)) if q.kind == "order" else ()
    )
    rows = "".join(
        f"<li>{markup.inline_html(o.text)}: {markup.inline_html(' '.join(o.why.split()))}</li>"
        for o in in_order or q.mistakes
        if o.why
    )
    return f"<ul>{rows}</ul>" if rows else ""
