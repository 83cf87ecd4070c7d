"""Whether a reply is right, and what to tell where it is not.

Owns: how a reply of each kind is read and compared. Must not know: terminals, files. Read before:
``paper.py``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from . import units
from .errors import AnswerError
from .paper import Asked, Paper

PASS = "?"  # the reply "I do not know"
FAR = Fraction(10) ** 60  # larger numbers than any answer, which no float need hold
MISTAKE_TOLERANCE = 1e-4  # of a known mistake's value, where the question's own is smaller


@dataclass(frozen=True)
class Verdict:
    """One reply judged: ``reason`` says what is wrong with it, empty where it is right."""

    question: Asked
    reply: str
    right: bool
    reason: str


@dataclass(frozen=True)
class Mark:
    """A paper judged."""

    paper: Paper
    verdicts: tuple[Verdict, ...]

    @property
    def n_right(self) -> int:
        """How many replies are right."""
        return sum(v.right for v in self.verdicts)

    @property
    def passed(self) -> bool:
        """Did it reach the pass mark?"""
        return self.n_right >= self.paper.n_needed


def mark(paper: Paper, replies: Mapping[str, str]) -> Mark:
    """Every question of the paper judged; one without a reply is wrong."""
    return Mark(paper, tuple(judge(q, replies.get(q.id, "")) for q in paper.questions))


def judge(q: Asked, reply: str) -> Verdict:
    """One reply judged; what cannot be read is wrong and says so."""
    reply = reply.strip()
    if reply in ("", PASS):
        return Verdict(q, reply, False, "No answer was given.")
    try:
        value = read(q, reply)
    except AnswerError as error:
        return Verdict(q, reply, False, f"The reply cannot be read: {error}.")
    if equal(q, value):
        return Verdict(q, reply, True, "")
    return Verdict(q, reply, False, REASONS[q.kind](q, value))


def read(q: Asked, reply: str) -> Fraction | tuple[str, ...] | str:
    """What a reply means: a number, letters, or a line; AnswerError where it means nothing."""
    if q.kind == "number":
        return units.parse(reply, q.unit)
    if q.kind == "code":
        return " ".join(reply.split())
    return letters(q, reply)


def letters(q: Asked, reply: str) -> tuple[str, ...]:
    """The letters of a reply: "b", "a, c", "cab"; or the text of one choice."""
    for option in q.options:
        if reply.casefold() == option.text.casefold() and q.kind == "choice":
            return (option.letter,)
    have = [o.letter for o in q.options]
    found = [c for c in reply.casefold() if not re.match(r"[\s,;>().\[\]-]", c)]
    for letter in found:
        if letter not in have:
            raise AnswerError(
                f"{reply[:40]!r} has {letter!r}, want letters {have[0]} to {have[-1]}"
            )
    if len(set(found)) < len(found):
        raise AnswerError(f"{reply[:40]!r} has a letter twice")
    if q.kind == "choice" and len(found) != 1:
        raise AnswerError(f"{reply[:40]!r}: want one letter, got {len(found)}")
    if q.kind == "order" and len(found) != len(have):
        raise AnswerError(
            f"{reply[:40]!r}: want all {len(have)} letters in order, got {len(found)}"
        )
    if not found:
        raise AnswerError(f"{reply[:40]!r} has no letter")
    return tuple(found if q.kind == "order" else sorted(found))


def equal(q: Asked, value: Fraction | tuple[str, ...] | str) -> bool:
    """Is this value the answer?"""
    if q.kind == "number":
        return units.near(value, q.answer, q.tolerance)
    if q.kind == "code":
        return same_output(value, q.answer)
    return value == q.answer


def same_output(reply: str, output: str) -> bool:
    """The same line: spaces apart, or the same Python value ("(4,64)" is "(4, 64)")."""
    if "".join(reply.split()) == "".join(output.split()):
        return True
    try:
        return ast.literal_eval(reply) == ast.literal_eval(output)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


# What to tell


def of_choices(q: Asked, value: tuple[str, ...]) -> str:
    """The reasons of every choice that was taken wrongly or left out wrongly."""
    said = []
    for o in q.options:
        if o.right != (o.letter in value) and (o.why or o.right):
            verb = "does not belong" if o.letter in value else "belongs"
            lead = "" if q.kind == "choice" else f"{o.letter}) {verb}: "
            if q.kind == "choices" or o.letter in value:
                said.append(lead + (o.why or o.text))
    return "\n\n".join(said)


def of_order(q: Asked, value: tuple[str, ...]) -> str:
    """The first place that differs, and why the item that belongs there stands there."""
    texts = {o.letter: o for o in q.options}
    at = next(i for i, (got, want) in enumerate(zip(value, q.answer, strict=True)) if got != want)
    got, want = texts[value[at]], texts[q.answer[at]]
    return f"Place {at + 1} is {want.letter}) {want.text}, not {got.letter}). {want.why}"


def of_number(q: Asked, value: Fraction) -> str:
    """The known mistake that gives this number, if there is one, else how far off it is."""
    for mistake in q.mistakes:
        if units.near(value, units.exact(mistake.value), max(q.tolerance, MISTAKE_TOLERANCE)):
            return mistake.why
    if abs(value) > FAR or 0 < abs(value) < 1 / FAR:
        return "The reply is not the answer, by far."
    if q.answer != 0 and value != 0:
        ratio = float(value / q.answer)
        if ratio > 0 and not 0.5 < ratio < 2:
            times = f"{ratio:.3g} times" if ratio > 1 else f"1/{1 / ratio:.3g} of"
            return f"{units.show(value, q.unit)} is {times} the answer."
    return f"{units.show(value, q.unit)} is not the answer."


def of_code(q: Asked, value: str) -> str:
    """The known mistake that expects this output, if there is one."""
    for mistake in q.mistakes:
        if same_output(value, str(mistake.text)):
            return mistake.why
    return "Another line is printed."


REASONS = {
    "choice": of_choices,
    "choices": of_choices,
    "order": of_order,
    "number": of_number,
    "code": of_code,
}
