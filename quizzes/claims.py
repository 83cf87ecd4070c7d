"""Every number that quizzes and interview questions tell, and the code that computed it.

Owns: the list. Must not know: how a page shows it. Read before: ``paper.py``, ``interview.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import interview
from .paper import Asked, ask, key
from .schema import Bank, Call, Question, load_banks

Claim = dict[str, str]


def of_banks(banks: Mapping[str, Bank] | None = None, seed: int = 1) -> list[Claim]:
    """A row for each question: its answer on one draw, and what decided it."""
    banks = load_banks() if banks is None else banks
    rows = []
    for bank in banks.values():
        for q in bank.questions:
            asked = ask(q, key(seed, bank.quiz, "claims", q.id))
            rows.append(claim(f"quiz {bank.quiz}", q, asked))
    return rows


def claim(where: str, q: Question, asked: Asked) -> Claim:
    """What is right in one drawn question, and by which code."""
    return {
        "where": f"{where}, {q.where}",
        "id": q.id,
        "name": "answer",
        "value": asked.shown,
        "computed_by": ", ".join(sources(q)) or "the author: a statement, no number",
    }


def sources(q: Question) -> list[str]:
    """The rows of ANSWERS (or the code) that decide what is right, each once."""
    if q.code:
        return ["the question's own code, run"]
    parts = [q.answer, *(c.right for c in q.choices), *(c.key for c in q.choices)]
    parts += [c.call for c in q.choices if c.right is True]
    return list(dict.fromkeys(p.name for p in parts if isinstance(p, Call)))


def of_interviews(questions: Iterable[interview.Interview] | None = None) -> list[Claim]:
    """A row for each number of the interview bank; facts that were looked up name their source."""
    questions = interview.load().values() if questions is None else questions
    return [row for q in questions for row in interview.claims(q)]
