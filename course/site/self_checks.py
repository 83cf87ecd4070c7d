"""Pages of quizzes: answered in the page, by the script that the quizzes bring.

Owns: what stands around a quiz. Must not know: how questions are drawn, asked or marked.
Read before: quizzes/web/pages.py.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path

from quizzes import schema, web
from quizzes.schema import Bank


@functools.cache
def banks() -> Mapping[str, Bank]:
    """The banks, read once."""
    return schema.load_banks()


def pages() -> Iterator[tuple[str, str]]:
    """(path in the site's source, text) of each quiz, and of the form that its page embeds."""
    plans = schema.load_papers()
    for quiz, bank in sorted(banks().items()):
        plan = plans[quiz]
        need = "It is one of the required ones. " if plan.required else ""
        yield (
            f"quizzes/{quiz}.md",
            f"# Quiz {quiz}: {plan.title}\n\n"
            f"{plan.n_questions} questions out of a bank of {len(bank.questions)};"
            f" {plan.pass_mark:.0%} of them make a pass.\n{need}"
            "Their numbers are drawn anew for each paper, and the engine computes the answers.\n"
            f"In a terminal: `quiz take {quiz}`.\n\n"
            f":::{{embed}} {quiz}.html\n:::\n",
        )
        yield f"quizzes/{quiz}.html", web.fragment(quiz, banks=banks(), plans=plans)


def assets() -> tuple[Path, ...]:
    """Files that such a page loads."""
    return web.assets()
