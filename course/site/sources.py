"""Every page's source text: which pages there are, and from what each is made.

Owns: the list of pages, the side bar's sections after the weeks, when an executed lesson is no
longer true. Must not know: Sphinx, folders of a build. Read before: lessons.py, execution.py.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from autograder.catalog import Course
from course import claims, coverage
from course.claims import Shown
from course.site import (
    assignments,
    execution,
    howto,
    interviews,
    navigation,
    reference,
    self_checks,
)
from course.site.lessons import Staged, links, stage
from course.site.navigation import Entry
from course.site.symbols import ROOT
from quizzes import schema

# What a lesson's output depends on besides its own text.
RUNS = ("minengine", "quizzes", "course", "cudasim", "autograder")
RUN_SUFFIXES = {".py", ".pyx", ".pxd", ".h", ".cpp", ".cu", ".gguf", ".yaml"}
# What the side bar lists after the weeks; a page that this build does not have is left out.
SECTIONS = (
    ("Practice", [("interview/index", "Interview questions"), ("examples/index", "Code examples")]),
    (
        "Guides",
        [
            ("students/guide", "For students"),
            ("instructors/guide", "For instructors"),
            ("instructors/day", "An instructor's day"),
            ("instructors/scale", "Large classes"),
            ("howto/index", "How to add ..."),
            ("inside", "Inside the project"),
        ],
    ),
    (
        "Reference",
        [
            ("api/index", "API reference"),
            ("glossary", "Glossary"),
            ("instructors/coverage", "What the course covers"),
            ("instructors/claims", "Where each number comes from"),
        ],
    ),
)


def syllabus() -> dict[str, Any]:
    """What the course's one order says, with the quizzes' titles as their papers have them."""
    said = yaml.safe_load((ROOT / "course" / "syllabus.yaml").read_text(encoding="utf-8"))
    plans = schema.load_papers()
    rows = {quiz: {"title": p.title, "required": p.required} for quiz, p in plans.items()}
    return said | {"quizzes": rows}


def staged_lessons(*, student: bool = False) -> Iterator[tuple[str, str, Staged]]:
    """(page, file, text made ready) of all that may have cells: lessons, guides, examples."""
    # how to add things shows a whole assignment being written, its solution too
    for folder in ("lessons", "students", *(() if student else ("howto", "instructors"))):
        for path in sorted((ROOT / "course" / folder).glob("*.md")):
            name = path.relative_to(ROOT).as_posix()
            yield f"{folder}/{path.name}", name, stage(path.read_text(encoding="utf-8"), name)
    for page, text in interviews.pages(student=student):
        yield page, f"page {page}", stage(text, "page")
    yield from assignments.programs(Course(ROOT, syllabus()), student=student)


def executed(folder: Path, *, student: bool) -> list[Shown]:
    """Run every lesson that `folder` does not have; the numbers of all of them.

    Raises: LessonError where a cell fails.
    """
    found: list[Shown] = []
    for page, name, staged in staged_lessons(student=student):
        cells = execution.run(staged, name, folder)
        if page.startswith("lessons/"):
            found += claims.of_lesson(name, staged, cells)
    return found


def all_claims(lessons: list[Shown]) -> list[Shown]:
    """Every number that a reader is shown."""
    return [*lessons, *claims.of_quizzes(self_checks.banks()), *claims.of_interviews()]


def pages(
    syllabus: Mapping[str, Any], lessons: list[Shown], *, student: bool
) -> Iterator[tuple[str, str]]:
    """(path in the source folder, text) of each page but the first."""
    for page, _, staged in staged_lessons(student=student):
        yield page, staged.text
    course = Course(ROOT, syllabus)
    yield from assignments.pages(course)
    yield from assignments.examples(course, student=student)
    yield from self_checks.pages()
    yield "glossary.md", (ROOT / "course" / "glossary.md").read_text(encoding="utf-8")
    yield "inside.md", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    if not student:
        yield "howto/index.md", howto.page()
        text = links(coverage.page(), "course/instructors/coverage.md")
        yield "instructors/coverage.md", text
        yield "instructors/claims.md", claims.page(all_claims(lessons))
    yield from reference.pages(syllabus, student=student)


def site_map(syllabus: Mapping[str, Any], lessons: list[Shown], *, student: bool) -> dict[str, str]:
    """Path -> text of every page, the first one with the side bar's lists among them."""
    texts = dict(pages(syllabus, lessons, student=student))
    there = {name.removesuffix(".md") for name in texts if name.endswith(".md")}
    sections = [
        (caption, [Entry(page, title) for page, title in rows if page in there])
        for caption, rows in SECTIONS
    ]
    texts["index.md"] = navigation.front(syllabus, there, sections)
    return texts


def cache_folder(out: Path) -> Path:
    """Where executed lessons are kept: another folder when the code that they run has changed."""
    digest = hashlib.sha256()
    for room in RUNS:
        for path in sorted((ROOT / room).rglob("*")):
            if path.suffix in RUN_SUFFIXES and "site" not in path.parts:
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0")
                digest.update(path.read_bytes())
    folder = out / "executed" / digest.hexdigest()[:16]
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other)
    return folder
