"""Pages of quizzes: answered in the page, by the script that the quizzes bring.

Owns: what stands around a quiz. Must not know: how questions are drawn, asked or marked.
Read before: quizzes/web/pages.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quizzes import schema, web


def ids() -> list[str]:
    """Of the quizzes that have a bank."""
    return sorted(schema.load_banks())


def page(syllabus: Mapping[str, Any], quiz: str) -> str:
    """One quiz: how it works, then its questions."""
    row = syllabus["quizzes"][quiz]
    plan = schema.load_papers()[quiz]
    bank = schema.load_banks()[quiz]
    need = "It is one of the required ones. " if row.get("required") else ""
    return (
        f"# Quiz {quiz}: {row['title']}\n\n"
        f"{plan.n_questions} questions out of a bank of {len(bank.questions)};"
        f" {plan.pass_mark:.0%} of them make a pass.\n{need}"
        "The numbers in them are drawn anew for each paper, and the engine computes the answers.\n"
        f"In a terminal: `quiz take {quiz}`.\n\n"
        f":::{{embed}} {quiz}.html\n:::\n"
    )


def form(quiz: str) -> str:
    """The questions as HTML."""
    return web.fragment(quiz)


def assets() -> tuple[Path, ...]:
    """Files that such a page loads."""
    return web.assets()
