"""The ``quiz`` program: list, take, deal, mark and verify; others stand in files beside this one.

Owns: arguments and printing. Must not know: how a paper is drawn or judged. Read before:
``app.py``, ``quizzes/terminal.py``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from quizzes import collected, gathering, screen, terminal
from quizzes import replies as reply_files
from quizzes.cli import collecting, exporting, interviewing
from quizzes.cli.app import (
    BANKS,
    BankOption,
    JsonOption,
    QuizArgument,
    RosterOption,
    SecretOption,
    SeedOption,
    StudentOption,
    app,
    exit_codes,
    print_json,
)
from quizzes.errors import ReplyError
from quizzes.marking import Mark, mark
from quizzes.paper import SECRET_SEED, Paper, draw
from quizzes.progress import STATE_VARIABLE, Progress, user_name
from quizzes.replies import Replies
from quizzes.schema import Bank, Plan, load_banks, load_plans
from quizzes.verify import Report
from quizzes.verify import verify as verify_bank

__all__ = ["app", "collecting", "exporting", "interviewing", "main"]


def main() -> None:
    """The ``quiz`` program."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")
    app(prog_name="quiz")


@app.command("list", epilog="Example:  quiz list --json")
def list_quizzes(bank: BankOption = None, as_json: JsonOption = False) -> None:
    """The quizzes: how many questions a paper has, how many there are, what passes."""
    with exit_codes() as on:
        banks = load_banks(bank or BANKS)
        rows = [
            {
                "quiz": plan.quiz,
                "title": plan.title,
                "questions": plan.n_questions,
                "in_bank": len(banks[plan.quiz].questions),
                "computed": sum(q.computed for q in banks[plan.quiz].questions),
                "pass_mark": plan.pass_mark,
                "required": plan.required,
            }
            for plan in load_plans(bank or BANKS).values()
            if plan.quiz in banks
        ]
        if as_json:
            return print_json(rows)
        cells = [
            [r["quiz"], r["title"], r["questions"], r["in_bank"], r["computed"],
             f"{100 * r['pass_mark']:g} %", "yes" if r["required"] else "no"]
            for r in rows
        ]  # fmt: skip
        names = ["quiz", "title", ">questions", ">in bank", ">computed", ">pass mark", "required"]
        on.print(screen.table(names, cells))
    return None


@app.command(
    epilog="Examples:  quiz take 2.1   |   quiz take 2.1 --template > my.yaml   |   "
    "quiz take 2.1 --answers my.yaml.   Progress is kept in your state folder, "
    f"or in ${STATE_VARIABLE}."
)
def take(
    quiz: QuizArgument,
    answers: Annotated[
        Path | None, typer.Option("--answers", "-a", help="Judge a file of replies, YAML or JSON.")
    ] = None,
    template: Annotated[
        bool, typer.Option("--template", help="Print the paper as a file of empty replies.")
    ] = False,
    student: StudentOption = None,
    seed: SeedOption = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin a new paper.")] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Type letters on a line; no cursor keys.")
    ] = False,
    bank: BankOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a quiz in the terminal, or from a file of replies."""
    with exit_codes(left="Left. Answers so far are kept; the same command goes on.") as on:
        banks, plans = load_banks(bank or BANKS), load_plans(bank or BANKS)
        if answers is not None:
            given = reply_files.read(answers)
            result = from_file(given, draw_for(quiz, given, student, seed, banks, plans))
            if as_json:
                print_json(mark_as_data(result))
            else:
                print_mark(result, on)
        elif template:
            paper = draw(quiz, student or user_name(), seed or "1", banks=banks, plans=plans)
            if as_json:
                return print_json(reply_files.as_data(paper))
            print(reply_files.template(paper), end="")
            return None
        else:
            if as_json or not (sys.stdin.isatty() and sys.stdout.isatty()):
                raise ReplyError(
                    "no terminal to ask in: --template prints the paper, --answers FILE reads it"
                )
            progress = Progress.load(quiz, student or user_name())
            wanted = progress.seed(seed, restart=restart)
            paper = draw(quiz, student or user_name(), wanted, banks=banks, plans=plans)
            result = terminal.take(paper, progress, on, restart=restart, plain=plain)
    raise typer.Exit(0 if result.passed else 1)


def draw_for(
    quiz: str,
    given: Replies,
    student: str | None,
    seed: str | None,
    banks: Mapping[str, Bank],
    plans: Mapping[str, Plan],
) -> Paper:
    """The paper a file of replies belongs to; ReplyError where file and command line differ."""
    for name, asked, found in (
        ("quiz", quiz, given.quiz),
        ("student", student, given.student),
        ("seed", seed, given.seed),
    ):
        if asked and found and asked != found:
            raise ReplyError(f"the file is for {name} {found!r}, asked is {asked!r}")
    if given.seed == SECRET_SEED:
        raise ReplyError(
            "this paper was dealt with the course's secret: quiz mark --secret marks it"
        )
    whose, which = student or given.student or user_name(), seed or given.seed or "1"
    return draw(quiz, whose, which, banks=banks, plans=plans)


def from_file(given: Replies, paper: Paper) -> Mark:
    """The mark of a file's replies; ReplyError where they belong to another paper."""
    collected.check(given, paper)
    return mark(paper, given.answers)


def print_mark(result: Mark, on: Console) -> None:
    """Every verdict, with the question where it was missed, then the score."""
    for number, verdict in enumerate(result.verdicts, 1):
        q = verdict.question
        on.print(Text(f"{number}. {q.id}", "bold"))
        if not verdict.right:
            on.print(screen.question(q, on))
            if q.options:
                on.print(screen.choices(q, on))
        on.print(screen.verdict(verdict, on))
        on.print()
    on.print(screen.score(result, on))


def mark_as_data(result: Mark) -> dict:
    """A mark for programs."""
    paper = result.paper
    return {
        "quiz": paper.plan.quiz,
        "title": paper.plan.title,
        "student": paper.student,
        "seed": paper.seed,
        "paper": paper.digest,
        "n_right": result.n_right,
        "n_questions": len(paper.questions),
        "n_needed": paper.n_needed,
        "passed": result.passed,
        "questions": [
            {
                "id": v.question.id,
                "kind": v.question.kind,
                "reply": v.reply,
                "right": v.right,
                "reason": v.reason,
                "answer": v.question.shown,
                "why": v.question.why,
            }
            for v in result.verdicts
        ],
    }


@app.command(
    epilog="Examples:  quiz deal 2.1 ada grace --secret SECRET --out papers/   |   "
    "quiz deal 2.1 --roster names.txt --secret SECRET -o papers/"
)
def deal(
    quiz: QuizArgument,
    secret: Annotated[Path, typer.Option("--secret", help="The course's secret file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for a file per student.")],
    students: Annotated[list[str] | None, typer.Argument(help="Names of students.")] = None,
    roster: RosterOption = None,
    bank: BankOption = None,
) -> None:
    """Write a paper with empty replies for each student, drawn with the course's secret."""
    with exit_codes() as on:
        names = [*(students or []), *(gathering.read_roster(roster) if roster else [])]
        if not names:
            raise ReplyError("no students: name some, or give --roster FILE")
        paths = collected.deal(
            quiz, names, secret, out, load_banks(bank or BANKS), load_plans(bank or BANKS)
        )
        on.print(f"{len(paths)} papers in {out}; collect them filled in, then: quiz mark")


@app.command("mark", epilog="Example:  quiz mark collected/*.yaml --secret SECRET --json")
def mark_files(
    paths: Annotated[list[Path], typer.Argument(help="Files of replies, or folders of them.")],
    secret: SecretOption = None,
    bank: BankOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mark collected files of replies; a file that cannot be marked does not stop the others."""
    with exit_codes() as on:
        rows = collected.mark_all(
            paths, secret, load_banks(bank or BANKS), load_plans(bank or BANKS)
        )
        if as_json:
            print_json(
                [
                    {"file": str(r.path), "error": r.error}
                    | (mark_as_data(r.mark) if r.mark else {})
                    for r in rows
                ]
            )
        else:
            names = ["student", "quiz", ">right", ">of", "passed", "missed"]
            on.print(screen.table(names, [r.cells() for r in rows]))
            if secret is None:
                on.print(
                    "Without --secret these are self-checks: students can draw the same papers."
                )
    raise typer.Exit(1 if any(r.error for r in rows) else 0)


@app.command(epilog="Example:  quiz verify --draws 20")
def verify(
    draws: Annotated[
        int, typer.Option("--draws", "-n", min=1, help="Draws of each question.")
    ] = 100,
    bank: BankOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every bank: answers computed on many draws, choices differ, nothing gives them away."""
    with exit_codes() as on:
        plans = load_plans(bank or BANKS)
        reports = [
            verify_bank(b, plans.get(q), draws) for q, b in load_banks(bank or BANKS).items()
        ]
        if as_json:
            print_json([report_as_data(r) for r in reports])
        else:
            for report in reports:
                print_report(report, on)
    raise typer.Exit(0 if all(r.ok for r in reports) else 1)


def report_as_data(report: Report) -> dict:
    """A report for programs."""
    rows = [
        {
            "id": r.question.id,
            "kind": r.question.kind,
            "computed": r.question.computed,
            "draws": r.n_draws,
            "attempts": r.n_attempts,
            "answers": len(r.answers),
            "problems": r.problems,
        }
        for r in report.rows
    ]
    quiz = report.bank.quiz
    return {"quiz": quiz, "ok": report.ok, "problems": report.problems, "questions": rows}


def print_report(report: Report, on: Console) -> None:
    """A report as a table, problems under it."""
    right, wrong, _ = screen.signs(on)
    cells = [
        [wrong if r.problems else right, r.question.id, r.question.kind,
         "computed" if r.question.computed else "", r.n_draws, r.n_attempts, len(r.answers)]
        for r in report.rows
    ]  # fmt: skip
    names = ["", "question", "kind", "answer", ">draws", ">tries", ">answers"]
    on.print(Text(f"Quiz {report.bank.quiz}", "bold"))
    on.print(screen.table(names, cells))
    for row in report.rows:
        for problem in row.problems:
            on.print(Text(f"{row.question.where}: {row.question.id}: {problem}", "red"))
    for problem in report.problems:
        on.print(Text(f"{report.bank.path}: {problem}", "red"))
    n_computed = sum(r.question.computed for r in report.rows)
    on.print(
        f"{len(report.rows)} questions, {n_computed} computed: {'fine' if report.ok else 'wrong'}"
    )
