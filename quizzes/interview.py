"""The interview bank: questions with model answers, in which every number is computed.

Owns: the fields of ``course/interview/*.yaml``, filling their texts, and what an engine that is
broken on purpose shows. Must not know: terminals, clocks. Read before: ``nodes.py``, ``schema.py``
(calls and expressions), ``course/broken/__init__.py``. Next: ``sitting.py``.

A text has no digit but in a placeholder: ``{name}``, ``{name:.2f}`` or ``{name:bytes}`` of what is
``given`` (facts that were looked up, with their source) or among the ``numbers`` (a row of ANSWERS,
or an expression). ``NAMES`` are names with digits in them. A digit elsewhere is a BankError.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from course.broken import BROKEN, engine, right_text, what_is_wrong

from .errors import BankError, DrawError
from .expression import Expression
from .nodes import Node, read
from .paper import filled, value_of
from .schema import IDENTIFIER, PLACEHOLDER, Call, call, expression
from .units import UNITS

CATEGORIES = ("concepts", "technique", "design", "debugging")
LEVELS = ("mid", "senior")
POINTS = 10  # of each rubric
NAMES = (
    *("Llama 2", "Llama 3", "70B", "8B", "F16", "F32", "Q8_0", "Q4_0", "Q4_K"),
    *("float16", "float32", "float64", "8-bit", "16-bit", "32-bit"),
)
TEXTS = ("title", "question", "answer")


@dataclass(frozen=True)
class FollowUp:
    """A question to go on with, and what is hoped for."""

    question: str
    answer: str


@dataclass(frozen=True)
class Point:
    """A line of a rubric."""

    points: int
    text: str


@dataclass(frozen=True)
class WrongFix:
    """A fix that people try first, and why it is none."""

    why: str
    code: str


@dataclass(frozen=True)
class Interview:
    """One question of the bank; texts with placeholders as in the file, or ``told`` without."""

    id: str
    category: str
    title: str
    level: str
    minutes: int
    where: str
    source: str
    given: Mapping[str, Any]
    numbers: Mapping[str, Call | Expression]
    question: str
    looked_for: tuple[str, ...]
    answer: str
    follow_ups: tuple[FollowUp, ...]
    rubric: tuple[Point, ...]
    engine: str = ""
    fix: str = ""
    wrong_fixes: tuple[WrongFix, ...] = ()

    def values(self) -> dict[str, Any]:
        """What is given and what is computed, by name."""
        found = dict(self.given)
        for name, source in self.numbers.items():
            try:
                found[name] = value_of(source, found)
            except (ArithmeticError, LookupError, TypeError, ValueError) as error:
                raise DrawError(f"{self.where}: {self.id}: {name}: {error!r}") from error
        return found

    def told(self) -> Interview:
        """The same with every placeholder filled."""
        values = self.values()

        def of(part: Any) -> Any:
            if isinstance(part, str):
                return filled(part, values)
            if isinstance(part, tuple):
                return tuple(of(p) for p in part)
            if isinstance(part, FollowUp | Point):
                changed = {f.name: of(getattr(part, f.name)) for f in fields(part)}
                return replace(part, **changed)
            return part

        names = (*TEXTS, "looked_for", "follow_ups", "rubric")
        return replace(self, **{name: of(getattr(self, name)) for name in names})


def folder() -> Path:
    """Where the course keeps its bank."""
    return Path(str(resources.files("course"))) / "interview"


def load(path: Path | None = None) -> dict[str, Interview]:
    """Every question of a folder by id, in the order of CATEGORIES; BankError lists what is
    wrong.
    """
    path = folder() if path is None else path
    found: dict[str, Interview] = {}
    complaints = []
    for file in sorted(path.glob("*.yaml")):
        try:
            for q in load_file(file):
                if q.id in found:
                    raise BankError(f"{q.where}: {q.id!r} is in {found[q.id].where} already")
                found[q.id] = q
        except BankError as error:
            complaints.append(str(error))
    if complaints:
        raise BankError("\n".join(complaints))
    if not found:
        raise BankError(f"{path}: no interview questions")
    return dict(sorted(found.items(), key=lambda row: CATEGORIES.index(row[1].category)))


def load_file(path: Path) -> list[Interview]:
    """The questions of one category; BankError has one line for every question that is wrong."""
    f = read(path).fields(("category", "questions"))
    category, found, complaints = f["category"].one_of(CATEGORIES), [], []
    for node in f["questions"].items():
        try:
            found.append(one(node, category))
        except BankError as error:
            complaints.append(str(error))
    if complaints:
        raise BankError("\n".join(complaints))
    return found


def one(node: Node, category: str) -> Interview:
    """One item of ``questions``."""
    debugging = ("engine", "fix", "wrong_fixes") if category == "debugging" else ()
    f = node.fields(
        ("id", "title", "level", "minutes", "source", "given", "numbers", "question",
         "looked_for", "answer", "follow_ups", "rubric", *debugging),
    )  # fmt: skip
    if not IDENTIFIER.fullmatch(f["id"].text()):
        raise f["id"].unlike("small letters, digits and hyphens")
    given = {name: value.scalar() for name, value in f["given"].pairs().items()}
    numbers: dict[str, Call | Expression] = {}
    for name, value in f["numbers"].pairs().items():
        known = {*given, *numbers}
        if name in known:
            raise value.error(f"{value.name}: {name!r} is there already")
        numbers[name] = (call if value.is_mapping else expression)(value, known)
    names = {*given, *numbers}
    return Interview(
        id=f["id"].text(),
        category=category,
        level=f["level"].one_of(LEVELS),
        minutes=int(f["minutes"].number(1, 60)),
        where=f["id"].where,
        source=f["source"].text(),
        given=given,
        numbers=numbers,
        looked_for=tuple(told_text(item, names) for item in f["looked_for"].items(at_least=3)),
        follow_ups=tuple(follow_up(item, names) for item in f["follow_ups"].items(at_least=2)),
        rubric=rubric(f["rubric"], names),
        **{name: told_text(f[name], names) for name in TEXTS},
        **(broken_fields(f) if debugging else {}),
    )


def told_text(node: Node, names: set[str]) -> str:
    """A text without digits but those of placeholders that exist, and of NAMES."""
    text = node.text()
    for found in PLACEHOLDER.finditer(text):
        if found["name"] and found["name"] not in names:
            raise node.error(f"{node.name}: no number for {found[0]} ({', '.join(sorted(names))})")
        if found["format"] and found["format"].isalpha() and found["format"] not in UNITS:
            raise node.error(f"{node.name}: {found[0]}: no unit, want {', '.join(UNITS)}")
    bare = PLACEHOLDER.sub("", text)
    for name in NAMES:
        bare = bare.replace(name, "")
    digit = re.search(r"\S*\d\S*", bare)
    if digit:
        raise node.error(
            f"{node.name}: the number {digit[0]!r} is typed; compute it, or name it under `given`"
        )
    return text


def follow_up(node: Node, names: set[str]) -> FollowUp:
    """One follow-up question with its answer."""
    f = node.fields(("question", "answer"))
    return FollowUp(told_text(f["question"], names), told_text(f["answer"], names))


def rubric(node: Node, names: set[str]) -> tuple[Point, ...]:
    """Lines whose points sum to POINTS."""
    lines = []
    for item in node.items(at_least=3):
        f = item.fields(("points", "text"))
        lines.append(Point(int(f["points"].number(1, POINTS)), told_text(f["text"], names)))
    total = sum(line.points for line in lines)
    if total != POINTS:
        raise node.error(f"{node.name}: {total} points in all, want {POINTS}")
    return tuple(lines)


def broken_fields(f: Mapping[str, Node]) -> dict[str, Any]:
    """The engine of a debugging question, its fix and the wrong ones."""
    wrong = []
    for item in f["wrong_fixes"].items(at_least=2):
        parts = item.fields(("why", "code"))
        wrong.append(WrongFix(parts["why"].text(), parts["code"].text()))
    return {
        "engine": f["engine"].one_of(BROKEN),
        "fix": f["fix"].text(),
        "wrong_fixes": tuple(wrong),
    }


# Broken engines


def symptom(q: Interview) -> tuple[str, str]:
    """What a right engine and the broken one make of the scene; an error's message is a text."""
    try:
        with np.errstate(all="ignore"):
            shown = BROKEN[q.engine].scene(engine(q.engine))
    except Exception as error:  # noqa: BLE001 - a broken engine may do anything
        shown = f"{type(error).__name__}: {error}"
    return right_text(q.engine), shown


def try_fix(q: Interview, code: str) -> list[str]:
    """What is wrong with the engine when the part that ``code`` defines takes the broken one's
    place; nothing where it is mended. The code is run here: it is the caller's own.
    """
    part, namespace = BROKEN[q.engine].part, {"__name__": "__fix__"}
    try:
        exec(compile(code, "<fix>", "exec"), namespace)
    except Exception as error:  # noqa: BLE001 - a fix that is being written may do anything
        return [f"{type(error).__name__}: {error}"]
    if not callable(namespace.get(part)):
        return [f"it defines no function {part!r}"]
    with np.errstate(all="ignore"):
        return what_is_wrong(q.engine, namespace[part])


# For pages and programs


def claims(q: Interview) -> list[dict[str, str]]:
    """Every number that a text of the question shows: its name, its value, what computed it."""
    values, rows = q.values(), []
    for name, source in [*q.given.items(), *q.numbers.items()]:
        if isinstance(source, Call):
            given = ", ".join(f"{k}={e.text}" for k, e in source.given.items())
            how = f"{source.name}({given})" if given else source.name
        else:
            how = source.text if isinstance(source, Expression) else f"given: {q.source}"
        rows.append({"where": q.where, "id": q.id, "name": name, "value": str(values[name]),
                     "computed_by": how})  # fmt: skip
    return rows


def as_data(q: Interview) -> dict[str, Any]:
    """The question with its texts filled, as values that JSON has."""
    told = q.told()
    data = {
        "id": q.id, "category": q.category, "title": told.title, "level": q.level,
        "minutes": q.minutes, "source": q.source, "question": told.question,
        "looked_for": list(told.looked_for), "answer": told.answer,
        "follow_ups": [{"question": x.question, "answer": x.answer} for x in told.follow_ups],
        "rubric": [{"points": x.points, "text": x.text} for x in told.rubric],
        "numbers": claims(q),
    }  # fmt: skip
    if q.engine:
        data |= {
            "engine": q.engine,
            "symptom": BROKEN[q.engine].symptom,
            "fix": q.fix,
            "wrong_fixes": [{"why": x.why, "code": x.code} for x in q.wrong_fixes],
        }
    return data
