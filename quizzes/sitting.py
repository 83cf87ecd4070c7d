"""One interview question at a terminal: asked, timed, told, and scored by who answered it.

Owns: the course of a sitting, its clock, and what was practised before. Must not know: how a
question is written in its file. Read before: ``interview.py``, ``screen.py``, ``progress.py``.
"""

from __future__ import annotations

import json
import os
import random
import select
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from course.broken import BROKEN

from . import screen
from .errors import ReplyError
from .interview import POINTS, Interview, symptom
from .progress import folder


@dataclass(frozen=True)
class Score:
    """What a sitting came to: points that somebody gave themselves, and how long it took."""

    points: int
    seconds: int


class Practice:
    """Scores by question, kept between runs in the folder of progress."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or folder() / "interviews.json"
        self.scores: dict[str, list[Score]] = {}
        if not self.path.exists():
            return
        try:
            for name, rows in json.loads(self.path.read_text(encoding="utf-8")).items():
                self.scores[name] = [Score(int(r["points"]), int(r["seconds"])) for r in rows]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ReplyError(
                f"{self.path}: these are no interviews ({error!r}); delete the file to start again"
            ) from None

    def add(self, name: str, score: Score) -> None:
        """Keep a score; the file is replaced as a whole."""
        self.scores.setdefault(name, []).append(score)
        rows = {k: [vars(s) for s in v] for k, v in self.scores.items()}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = self.path.with_suffix(f".{os.getpid()}")
            new.write_text(json.dumps(rows, indent=1), encoding="utf-8")
            new.replace(self.path)
        except OSError as error:
            raise ReplyError(f"{self.path}: the score cannot be kept: {error}") from None

    def best(self, name: str) -> int | None:
        """The most points so far; None where it was never asked."""
        return max((s.points for s in self.scores.get(name, ())), default=None)


def choose(
    questions: Iterable[Interview], practice: Practice, seed: str | None = None
) -> Interview:
    """One of the questions that were asked the fewest times; ReplyError where there is none."""
    rows = list(questions)
    if not rows:
        raise ReplyError("no interview question is of that category and level")
    times = {q.id: len(practice.scores.get(q.id, ())) for q in rows}
    fewest = [q for q in rows if times[q.id] == min(times.values())]
    return random.Random(seed).choice(fewest)


def hold(q: Interview, on: Console, *, minutes: float, ask: Callable[[str], str] = input) -> Score:
    """Ask, wait with a clock, tell everything, and have the rubric filled in.

    ``minutes`` 0 is no clock. KeyboardInterrupt or EOFError leave it; nothing is kept then.
    """
    told = q.told()
    show_question(told, on)
    began = time.monotonic()
    if minutes:
        countdown(minutes * 60, on)
    else:
        ask("Enter when you are done. ")
    seconds = round(time.monotonic() - began)
    show_answer(told, on)
    on.print(Text("How did you do?", "bold"))
    points = sum(ask_points(line.text, line.points, on, ask) for line in told.rubric)
    on.print(f"{points} of {POINTS} points in {clock(seconds)}.")
    return Score(points, seconds)


def show_question(q: Interview, on: Console) -> None:
    """The question; with a broken engine, what it and a right one make of the same scene."""
    on.print(Text(f"{q.category} · {q.level} · {q.minutes} minutes", "dim"))
    on.print(Text(q.title, "bold"))
    on.print()
    on.print(screen.rendered(q.question, on))
    if q.engine:
        right, shown = symptom(q)
        on.print(Text(f"\n{BROKEN[q.engine].symptom}", "dim"))
        for name, text in (("A right engine", right), ("This engine", shown)):
            on.print(Text(f"\n{name}:", "bold"))
            on.print(screen.code(text, "text"))
        on.print(f"\nquiz interview {q.id} --shell opens Python with both; --try FILE tries a fix.")
    on.print()


def show_answer(q: Interview, on: Console) -> None:
    """What is looked for, the model answer, follow-ups, the rubric; a fix where one is needed."""
    on.print(Rule())
    on.print(Text("Looked for", "bold"))
    on.print(screen.rendered("\n".join(f"- {line}" for line in q.looked_for), on))
    on.print(Text("\nA model answer", "bold"))
    on.print(screen.rendered(q.answer, on))
    if q.engine:
        on.print(Text("\nA fix", "bold"))
        on.print(screen.code(q.fix))
        on.print(Text("\nWhat people try first", "bold"))
        for wrong in q.wrong_fixes:
            on.print(screen.rendered(f"- {wrong.why}", on))
    on.print(Text("\nFollow-ups", "bold"))
    for x in q.follow_ups:
        on.print(screen.rendered(f"- **{x.question}** {x.answer}", on))
    on.print(Text("\nRubric", "bold"))
    lines = "\n".join(f"- {line.points}: {line.text}" for line in q.rubric)
    on.print(screen.rendered(lines, on))
    on.print(Text(f"\nNumbers from: {q.source}; the rest was computed.", "dim"))
    on.print(Rule())


def countdown(seconds: float, on: Console) -> None:
    """Show the time that is left until Enter is pressed or it is over."""
    ends = time.monotonic() + seconds
    on.print(f"{clock(seconds)} minutes. Enter when you are done, Ctrl-C to leave.")
    while (left := ends - time.monotonic()) > 0:
        if on.is_terminal and not on.is_dumb_terminal:
            on.file.write(f"\r{clock(left)} left ")
            on.file.flush()
        if select.select([sys.stdin], [], [], min(1.0, left))[0]:
            if not sys.stdin.readline():
                raise EOFError
            return
    on.print("\rTime is up.")


def ask_points(text: str, most: int, on: Console, ask: Callable[[str], str]) -> int:
    """Points from 0 to ``most`` for a line of the rubric, asked until there are some."""
    on.print(screen.rendered(f"- {text}", on))
    while True:
        reply = ask(f"  points, 0 to {most}: ").strip()
        if reply.isdigit() and int(reply) <= most:
            return int(reply)
        on.print(f"  {screen.markup.printable(reply)!r} is not a number from 0 to {most}")


def clock(seconds: float) -> str:
    """Minutes and seconds: 7:05."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def rows(questions: Mapping[str, Interview], practice: Practice) -> list[dict]:
    """The bank as a list for tables and programs."""
    return [
        {
            "id": q.id, "category": q.category, "level": q.level, "minutes": q.minutes,
            "title": q.told().title, "asked": len(practice.scores.get(q.id, ())),
            "best": practice.best(q.id),
        }
        for q in questions.values()
    ]  # fmt: skip
