"""Taking a quiz in a terminal: one question at a time, a verdict after each, progress kept.

Owns: the course of one sitting. Must not know: banks, how keys are read, how things look. Read
before: ``screen.py``, ``keys.py``, ``progress.py``.
"""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from . import keys, screen
from .marking import Mark, judge, mark
from .paper import Paper
from .progress import Progress


def take(paper: Paper, progress: Progress, on: Console, *, restart: bool, plain: bool) -> Mark:
    """Ask what is still open, keep every reply, and return the mark of the finished paper.

    KeyboardInterrupt or EOFError leave it: what was answered is kept.
    """
    plain = plain or keys.is_plain()
    replies = progress.open(paper.seed, paper.digest, restart=restart)
    total, right, wrong, open_ = len(paper.questions), *screen.signs(on)
    greet(paper, len(replies), on)
    for number, q in enumerate(paper.questions, 1):
        if q.id in replies:
            continue
        done = "".join(
            (right if judge(p, replies[p.id]).right else wrong) if p.id in replies else open_
            for p in paper.questions
        )
        on.print(screen.head(q, number, done, total))
        on.print(screen.question(q, on))
        if plain:
            on.print(screen.choices(q, on))
            on.print(screen.how(q))
        replies[q.id] = keys.ask_plainly(q) if plain else keys.ask(q)
        progress.save()
        if q.options and not plain:
            on.print(screen.choices(q, on))
        on.print(screen.verdict(judge(q, replies[q.id]), on))
        if not plain and number < total:
            on.print()
            keys.pause()
    result = mark(paper, replies)
    progress.finish(paper.seed, result.n_right)
    on.print()
    on.print(screen.score(result, on))
    on.print()
    return result


def greet(paper: Paper, n_done: int, on: Console) -> None:
    """Which quiz this is, what passes, and where it goes on."""
    plan = paper.plan
    on.print(Text(f"Quiz {plan.quiz}, {plan.title}", "bold"))
    on.print(
        f"{len(paper.questions)} questions, {paper.n_needed} right answers pass. "
        "Ctrl-C leaves; what you answered is kept."
    )
    if n_done:
        on.print(
            f"Going on: {n_done} of {len(paper.questions)} are answered (--restart: a new paper)."
        )
