"""``quiz interview``: one question of the interview bank, with a clock, an answer and a rubric.

Owns: its arguments and what it prints. Must not know: how a sitting goes. Read before: ``app.py``,
``quizzes/sitting.py``.
"""

from __future__ import annotations

import code
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from course.broken import engine, right, source, trace
from quizzes import interview as bank
from quizzes import screen, sitting
from quizzes.cli.app import JsonOption, app, exit_codes, print_json
from quizzes.errors import ReplyError
from quizzes.interview import Interview

Categories = StrEnum("Categories", {name: name for name in bank.CATEGORIES})
Levels = StrEnum("Levels", {name: name for name in bank.LEVELS})


@app.command(
    epilog="Examples:  quiz interview   |   quiz interview --category design   |   "
    "quiz interview cache-of-70b --show   |   quiz interview try-again --try mine.py"
)
def interview(
    name: Annotated[
        str | None, typer.Argument(help="The id of a question (see --list); one is dealt else.")
    ] = None,
    category: Annotated[
        Categories | None, typer.Option("--category", "-c", help="Deal one of these.")
    ] = None,
    level: Annotated[
        Levels | None, typer.Option("--level", "-l", help="Deal one of these.")
    ] = None,
    list_all: Annotated[
        bool, typer.Option("--list", help="The bank, and your best scores.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print question, answer and rubric; no clock.")
    ] = False,
    minutes: Annotated[
        float | None, typer.Option("--minutes", "-m", min=0, help="Another time; 0 is no clock.")
    ] = None,
    seed: Annotated[str | None, typer.Option("--seed", help="Deal the same one again.")] = None,
    shell: Annotated[
        bool, typer.Option("--shell", help="Python with the broken engine of a debugging question.")
    ] = False,
    attempt: Annotated[
        Path | None,
        typer.Option("--try", help="A file with your fix, run here: what is still wrong."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Practise an interview question: asked, timed, answered, scored by yourself."""
    with exit_codes(left="Left. Nothing was scored.") as on:
        questions, practice = bank.load(), sitting.Practice()
        wanted = {
            k: q
            for k, q in questions.items()
            if (category is None or q.category == category) and (level is None or q.level == level)
        }
        if list_all:
            return print_list(wanted, practice, on, as_json=as_json)
        q = one_of(questions, name) if name else sitting.choose(wanted.values(), practice, seed)
        if shell or attempt is not None:
            if not q.engine:
                raise ReplyError(f"{q.id} has no broken engine; those of debugging have")
            if attempt is not None:
                return print_attempt(q, attempt, on)
            return open_shell(q)
        if as_json:
            return print_json(bank.as_data(q))
        if show:
            sitting.show_question(q.told(), on)
            return sitting.show_answer(q.told(), on)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise ReplyError("no terminal to ask in: --show prints it all, --json as data")
        practice.add(q.id, sitting.hold(q, on, minutes=q.minutes if minutes is None else minutes))
    return None


def one_of(questions: dict[str, Interview], name: str) -> Interview:
    """The question of an id; ReplyError names those that there are."""
    if name not in questions:
        raise ReplyError(f"no interview question {name!r}; there is {', '.join(questions)}")
    return questions[name]


def print_list(
    questions: dict[str, Interview], practice: sitting.Practice, on: Console, *, as_json: bool
) -> None:
    """The bank as a table."""
    rows = sitting.rows(questions, practice)
    if as_json:
        return print_json(rows)
    cells = [
        [r["category"], r["id"], r["title"], r["level"], r["minutes"], r["asked"],
         "" if r["best"] is None else r["best"]]
        for r in rows
    ]  # fmt: skip
    names = ["category", "id", "title", "level", ">minutes", ">asked", ">best"]
    on.print(screen.table(names, cells))
    return None


def print_attempt(q: Interview, path: Path, on: Console) -> None:
    """What is wrong with an engine that has this fix; exit code 1 where something is."""
    found = bank.try_fix(q, path.read_text(encoding="utf-8"))
    for line in found:
        on.print(line, style="red")
    if found:
        raise typer.Exit(1)
    on.print("Mended: the part, the logits and the text are right.", style="green")


def open_shell(q: Interview) -> None:
    """Python with the broken engine, a right one, and a look inside both."""
    names = {
        "broken": engine(q.engine),
        "right": right(q.engine),
        "trace": trace,
        "source": lambda: print(source(q.engine)),
    }
    banner = (
        "broken and right are engines; "
        "trace(engine, engine.tokenize(text)) gives every value by name,\n"
        "with chunks=(9, 1) in passes of so many tokens; source() prints the part, when you give "
        "up."
    )
    code.interact(banner, local=names, exitmsg="")
