"""The order of the pages: the syllabus' weeks, then what is looked up.

Owns: the front page, the side bar, the names of pages. Must not know: what is on the pages.
Read before: course/syllabus.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# kind in the syllabus -> (folder of its pages, word before its title)
KINDS = {
    "lessons": ("lessons", "Lesson"),
    "labs": ("labs", "Lab"),
    "assignments": ("assignments", "Assignment"),
    "quizzes": ("quizzes", "Quiz"),
}
OPENING = """\
For engineers who know Python and some C++, and have run a model before.
You read an inference engine that is small enough to read, predict what it does, run it, and \
then build its parts yourself: {parts}.
What you hand in is compared with the engine, and the answer names the idea that is wrong.

New here? {start}
"""


@dataclass(frozen=True)
class Entry:
    """One page of the side bar: its path without suffix, its title, what stands beside it."""

    page: str
    title: str
    note: str = ""


def entry(syllabus: Mapping[str, Any], kind: str, id_: str) -> Entry:
    """The page of one lesson, lab, assignment or quiz of the syllabus."""
    folder, word = KINDS[kind]
    row = syllabus[kind][id_]
    number = str(int(id_.split("_")[0])) if kind == "assignments" else id_
    notes = []
    if hours := row.get("hours"):
        notes.append(f"{hours} h")
    if kind == "quizzes" and row.get("required"):
        notes.append("required")
    return Entry(f"{folder}/{id_}", f"{word} {number}: {row['title']}", ", ".join(notes))


def weeks(syllabus: Mapping[str, Any], there: Iterable[str]) -> Iterator[tuple[str, list[Entry]]]:
    """(heading, pages in the order of work) of each week, pages that exist alone."""
    there = set(there)
    for week in syllabus["weeks"]:
        rows = [entry(syllabus, kind, id_) for kind in KINDS for id_ in week.get(kind) or []]
        if found := [r for r in rows if r.page in there]:
            yield f"Week {week['week']}: {week['title']}", found


def front(
    syllabus: Mapping[str, Any], there: Iterable[str], sections: list[tuple[str, list[Entry]]]
) -> str:
    """The first page: what this is, the weeks, and the side bar's lists of pages.

    `sections` are the lists after the weeks, as (caption, pages).
    """
    there = set(there)
    plan = list(weeks(syllabus, there))
    start = " ".join(f"[{words}]({page}.md)." for page, words in STARTS if page in there)
    lines = [f"# {syllabus['title']}", "", OPENING.format(parts=parts(syllabus), start=start)]
    lines += ["::::{container} weeks", ""]
    for heading, entries in plan:
        lines += [":::{container} week", "", f"**{heading}**", ""]
        lines += [item(e) for e in entries]
        lines += [":::", ""]
    lines += ["::::", ""]
    for caption, entries in [*plan, *sections]:
        if entries:
            lines += [toctree(caption, entries), ""]
    return "\n".join(lines)


STARTS = (
    ("students/guide", "How to install, check and hand in"),
    ("instructors/guide", "How to run a class"),
    ("instructors/day", "An instructor's day, step by step"),
)


def parts(syllabus: Mapping[str, Any]) -> str:
    """The titles of the assignments as words of a sentence."""
    titles = [row["title"] for row in syllabus["assignments"].values()]
    words = [t if re.match(r"[A-Z]{2}", t) else t[0].lower() + t[1:] for t in titles]
    words = [w if w.endswith("s") or w.startswith("a ") else f"a {w}" for w in words]
    return ", ".join(words[:-1]) + " and " + words[-1]


def item(entry: Entry) -> str:
    """A line of a week's list."""
    note = f" [{entry.note}]{{.note}}" if entry.note else ""
    return f"- [{entry.title}]({entry.page}.md){note}"


def toctree(caption: str, entries: list[Entry]) -> str:
    """A list of the side bar."""
    rows = "\n".join(f"{e.title} <{e.page}>" for e in entries)
    return f'```{{toctree}}\n:caption: "{caption}"\n:hidden:\n:maxdepth: 2\n\n{rows}\n```'
