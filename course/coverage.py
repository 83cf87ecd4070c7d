"""What the course must cover, and the file and section that does (`course/coverage.yaml`).

Owns: this table, whether what it names exists. Must not know: pages, whether a section is any good.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from autograder.hints import FAST

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "course" / "coverage.yaml"


@dataclass(frozen=True)
class Place:
    """Where a point is covered: a file or a pattern of files, and words that stand in each."""

    pattern: str
    words: str

    def missing(self, root: Path = ROOT) -> str:
        """What is wrong with it, or nothing."""
        files = sorted(root.glob(self.pattern))
        if not files:
            return f"{self.pattern}: no such file"
        for file in files:
            if self.words and self.words not in file.read_text(encoding="utf-8"):
                return f"{file.relative_to(root)}: nothing says {self.words!r}"
        return ""


@dataclass(frozen=True)
class Point:
    """One thing to cover."""

    heading: str
    text: str
    places: tuple[Place, ...]


def points(file: Path = FILE) -> list[Point]:
    """Every point in the file's order.

    Raises: ValueError for a point without a place.
    """
    found = []
    for heading, rows in yaml.load(file.read_text(encoding="utf-8"), FAST).items():
        for text, places in rows.items():
            if not places:
                raise ValueError(f"{file}: {heading}: {text}: no place")
            split = (p.partition(" | ") for p in places)
            parts = tuple(Place(pattern, words) for pattern, _, words in split)
            found.append(Point(heading, text, parts))
    return found


def page() -> str:
    """The table, a section a heading."""
    out = ["# What the course covers", "", "Each point, and the file and section that treats it."]
    heading = ""
    for point in points():
        if point.heading != heading:
            heading = point.heading
            out += ["", f"## {heading}", "", "| point | where |", "|---|---|"]
        out.append(f"| {point.text} | {'; '.join(link(p) for p in point.places)} |")
    return "\n".join(out) + "\n"


def link(place: Place) -> str:
    """A place as a link to its page, where a file of the course's text is one."""
    words = place.words.lstrip("# :{*").rstrip("}*").strip()
    shown = f"`{place.pattern}`" + (f", {words}" if words and words[0].isalpha() else "")
    path = Path(place.pattern)
    if path.suffix == ".md" and "*" not in place.pattern and path.parts[0] == "course":
        return f"[{shown}](../../{place.pattern})"
    return shown
