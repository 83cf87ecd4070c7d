"""Exports: papers and banks in the formats that other quiz systems read.

One row of FORMATS a format; the command's choices and the tests come from it. Owns: which formats
there are, what each cannot say, files. Must not know: any format's notation. Read before:
``portable.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import gift, jupyterquiz, portable, qti
from .collected import file_name
from .errors import ExportError
from .paper import Asked, Paper, draw, draw_all
from .schema import Bank, Plan, load_bank

BANK_ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Format:
    """``write(paper)`` gives a text, or bytes where a file is no text.

    ``changes`` says what becomes of questions with an aspect (``ASPECTS``) that the format has not.
    """

    name: str
    suffix: str
    says: str
    write: Callable[[Paper], str | bytes]
    changes: Mapping[str, str]


def papers(
    quiz: str,
    students: Sequence[str],
    seed: str | bytes,
    banks: Callable[[], Mapping[str, Bank]],
    plans: Mapping[str, Plan] | None = None,
) -> list[Paper]:
    """A paper for each student, or where ``quiz`` is the file of a bank, all of the bank."""
    if quiz.endswith(BANK_ENDINGS):
        bank = load_bank(Path(quiz))
        return [draw_all(bank, student, seed) for student in students]
    found = banks()
    return [draw(quiz, student, seed, banks=found, plans=plans) for student in students]


def changed(chosen: Format, made: Iterable[Paper]) -> list[str]:
    """What the format cannot say, a line for each aspect with the ids of its questions."""
    asked = {q.id: q for paper in made for q in paper.questions}
    said = []
    for aspect, sentence in chosen.changes.items():
        ids = [q.id for q in asked.values() if ASPECTS[aspect](q)]
        if ids:
            said.append(f"{chosen.name}: {sentence}: {', '.join(ids)}")
    return said


def save(chosen: Format, made: Sequence[Paper], out: Path) -> list[Path]:
    """Write one paper to the file ``out``, several to the folder ``out``, named by students."""
    if len(made) == 1 and not out.is_dir():
        paths = [out]
    elif out.exists() and not out.is_dir():
        raise ExportError(f"{out} is a file, want a folder for {len(made)} papers")
    else:
        paths = [
            out / f"{file_name(paper.student or paper.plan.quiz)}{chosen.suffix}" for paper in made
        ]
        out.mkdir(parents=True, exist_ok=True)
    for path, paper in zip(paths, made, strict=True):
        path.write_bytes(as_bytes(chosen, paper))
    return paths


def as_bytes(chosen: Format, paper: Paper) -> bytes:
    """A paper as the bytes of a file."""
    written = chosen.write(paper)
    return written.encode() if isinstance(written, str) else written


ASPECTS: dict[str, Callable[[Asked], bool]] = {
    "arrow": gift.has_arrow,
    "line": lambda q: q.kind == "code",
    "mistakes": lambda q: q.kind in ("number", "code") and bool(q.mistakes),
    "order": lambda q: q.kind == "order",
    "several": lambda q: q.kind == "choices",
    "unit": portable.asks_unit,
}
UNIT = "a number has no unit, so the question names the unit and asks for the number alone"
LINE = "a line is compared by its characters, so it is taken as printed and without spaces"
FORMATS = {
    f.name: f
    for f in (
        Format(
            "gift",
            ".gift",
            "Moodle's text",
            gift.write,
            {
                "unit": UNIT,
                "line": LINE,
                "several": "several choices give part of the mark, a wrong one takes all of it",
                "order": "an order is a match of items and places, with part of the mark for each",
                "arrow": "a line to type cannot have '->', so the question has choices",
            },
        ),
        Format(
            "qti",
            ".zip",
            "QTI 1.2 for Canvas and others",
            qti.write,
            {
                "unit": UNIT,
                "line": LINE,
                "mistakes": "reasons of known mistakes are told together, after any wrong answer",
                "order": "an order is a match of items and places, with part of the mark for each",
            },
        ),
        Format(
            "jupyterquiz",
            ".json",
            "JSON for quizzes in notebooks",
            jupyterquiz.write,
            {
                "unit": UNIT,
                "line": LINE,
                "several": "each of several choices is judged when it is clicked",
                "order": "an order is a word of letters to type",
            },
        ),
    )
}
