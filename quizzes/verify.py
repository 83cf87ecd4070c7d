"""Checks of the banks themselves: every question drawn many times, and what gives an answer away.

Owns: what must hold of a bank beyond its schema. Must not know: terminals. Read before:
``paper.py``, ``marking.py``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from . import markup, schema, units
from .errors import QuizError
from .marking import judge
from .paper import Asked, ask, draw, key
from .schema import Bank, Plan, Question

FEWEST_QUESTIONS = 15
MOST_ATTEMPTS = (
    4.0  # mean draws until a question is clear; more means its parameters are ill chosen
)
MOST_EXTREME = (
    0.4  # share of choice questions whose right choice may be the longest, or the shortest
)
FEW_DRAWS = 100  # of questions with several choices; of fewer nothing is said about their lengths
MOST_LEANING = 0.3  # by how much more often than chance the longest of several may be right


@dataclass
class Row:
    """One question: how often it was drawn, how often again, how many different answers it has."""

    question: Question
    n_draws: int = 0
    n_attempts: int = 0
    answers: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)


@dataclass
class Report:
    """One bank: a row for each question, and what is wrong with the bank as a whole."""

    bank: Bank
    rows: list[Row]
    problems: list[str]

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems and not any(row.problems for row in self.rows)


def verify(bank: Bank, plan: Plan | None, n_draws: int) -> Report:
    """Draw every question ``n_draws`` times and say everything that is wrong."""
    rows, positions, extremes, leaning = [], Counter(), Counter(), Leaning()
    for q in bank.questions:
        row = Row(q)
        for n in range(n_draws):
            try:
                asked = ask(q, key(n, bank.quiz, "verify", q.id))
            except QuizError as error:
                row.problems.append(str(error))
                break
            row.n_draws += 1
            row.n_attempts += asked.attempts
            row.answers.add(asked.shown)
            row.problems += [p for p in problems(asked) if p not in row.problems]
            if q.kind == "choice":
                positions[len(asked.options), asked.answer[0]] += 1
                extremes.update(extreme(asked))
            elif q.kind == "choices":
                leaning.add(asked)
        if row.n_attempts > MOST_ATTEMPTS * max(row.n_draws, 1):
            mean = row.n_attempts / row.n_draws
            row.problems.append(f"{mean:.1f} draws until it is clear, want at most {MOST_ATTEMPTS}")
        rows.append(row)
    found = [*of_bank(bank, plan), *given_away(positions, extremes), *leaning.problems()]
    return Report(bank, rows, found)


def problems(q: Asked) -> list[str]:
    """What is wrong with one drawn question: its own answer is right, all else is wrong."""
    found = []
    right, wrong = replies(q)
    for reply in right:
        if not judge(q, reply).right:
            found.append(f"its own answer {reply!r} is marked wrong")
    for reply in wrong:
        verdict = judge(q, reply)
        if verdict.right:
            found.append(f"{reply!r} is marked right, the answer is {q.shown!r}")
        elif not verdict.reason.strip() or "cannot be read" in verdict.reason:
            found.append(f"{reply!r} is wrong without a reason: {verdict.reason!r}")
    for text in (q.text, q.code, q.why, *(o.text for o in q.options)):
        if schema.PLACEHOLDER.search(text) and "{" not in q.code:
            found.append(f"a placeholder is left in {text!r}")
    if len({o.text for o in (*q.options, *q.mistakes)}) < len(q.options) + len(q.mistakes):
        found.append("two choices read the same")
    return found


def replies(q: Asked) -> tuple[list[str], list[str]]:
    """Replies that must be right, and replies that must be wrong with a reason."""
    if q.kind == "number":
        exact = str(q.answer)
        wrong = [str(units.exact(m.value)) for m in q.mistakes]
        off = 1 + 2 * Fraction(str(q.tolerance)) if q.tolerance else 1
        return [exact], [*wrong, str(q.answer * off + (q.tolerance == 0))]
    if q.kind == "code":
        return [q.answer, q.answer.replace(" ", "")], [m.text for m in q.mistakes]
    letters = [o.letter for o in q.options]
    right = " ".join(q.answer)
    if q.kind == "order":
        return [right], [" ".join(reversed(q.answer))]
    if q.kind == "choice":
        return [right, q.shown], [x for x in letters if x not in q.answer]
    others = [" ".join(x for x in letters if x not in q.answer), " ".join(letters)]
    return [right, right.upper()], others


def extreme(q: Asked) -> list[str]:
    """Is the right choice alone the longest, or alone the shortest?"""
    lengths = {o.letter: len(markup.plain(o.text)) for o in q.options}
    right = lengths.pop(q.answer[0])
    found = ["drawn"]
    if right > max(lengths.values()):
        found.append("longest")
    if right < min(lengths.values()):
        found.append("shortest")
    return found


def of_bank(bank: Bank, plan: Plan | None) -> list[str]:
    """What is wrong with the bank as a whole: size, share of computed answers, paper."""
    found = []
    n_computed = sum(q.computed for q in bank.questions)
    if len(bank.questions) < FEWEST_QUESTIONS:
        found.append(f"{len(bank.questions)} questions, want at least {FEWEST_QUESTIONS}")
    if 2 * n_computed <= len(bank.questions):
        found.append(f"{n_computed} of {len(bank.questions)} are computed, want more than half")
    if plan is None:
        return [*found, "papers.yaml has no row for it"]
    try:
        two = [
            draw(bank.quiz, name, 1, banks={bank.quiz: bank}, plans={bank.quiz: plan}).digest
            for name in ("ada", "grace")
        ]
    except QuizError as error:
        return [*found, str(error)]
    return [*found, "two students get the same paper"] if two[0] == two[1] else found


def given_away(positions: Mapping[tuple[int, str], int], extremes: Mapping[str, int]) -> list[str]:
    """Can the right choice be guessed from its place or its length?

    Places are held to five standard deviations of a fair draw; lengths to ``MOST_EXTREME``.
    """
    found = []
    totals = Counter()
    for (n_options, _), n in positions.items():
        totals[n_options] += n
    for n_options, total in totals.items():
        for letter in "abcdefghijklmnop"[:n_options]:
            n, p = positions.get((n_options, letter), 0), 1 / n_options
            if abs(n - p * total) > 5 * math.sqrt(p * (1 - p) * total):
                found.append(f"{letter}) is right in {n} of {total} draws with {n_options} choices")
    for name in ("longest", "shortest"):
        if extremes.get(name, 0) > MOST_EXTREME * extremes.get("drawn", 0):
            share = 100 * extremes[name] / extremes["drawn"]
            found.append(f"the right choice is the {name} in {share:.0f} % of draws")
    return found


class Leaning:
    """Where several choices may be right: do place or length tell which?

    A letter is held to five standard deviations of the share of right choices among all; the
    longest, and the shortest, to that share and ``MOST_LEANING``.
    """

    def __init__(self) -> None:
        self.n_drawn = 0
        self.right, self.drawn = Counter(), Counter()
        self.variance, self.expected = Counter(), Counter()

    def add(self, q: Asked) -> None:
        """Count one drawn question."""
        self.n_drawn += 1
        share = sum(o.right for o in q.options) / len(q.options)
        lengths = {o.letter: len(markup.plain(o.text)) for o in q.options}
        ends = {"longest": max(lengths.values()), "shortest": min(lengths.values())}
        for o in q.options:
            alone = list(lengths.values()).count(lengths[o.letter]) == 1
            names = [n for n, size in ends.items() if alone and lengths[o.letter] == size]
            for name in (o.letter, *names):
                self.drawn[name] += 1
                self.right[name] += o.right
                self.expected[name] += share
                self.variance[name] += share * (1 - share)

    def problems(self) -> list[str]:
        """What tells, in words."""
        found = []
        for name, n in self.drawn.items():
            off = self.right[name] - self.expected[name]
            if len(name) > 1 and off > MOST_LEANING * n and self.n_drawn >= FEW_DRAWS:
                share = 100 * self.right[name] / n
                found.append(f"of several choices the {name} is right in {share:.0f} % of draws")
            elif len(name) == 1 and abs(off) > 5 * math.sqrt(self.variance[name]):
                found.append(f"of several choices {name}) is right in {self.right[name]} of {n}")
        return found
