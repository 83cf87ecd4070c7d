"""Pages of assignments and labs: the text students get, with stubs, and what is checked.

Owns: how cells become Markdown. Must not know: solutions; what stands in a hole here is its stub.
Read before: autograder/handout.py, autograder/catalog.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from autograder import handout
from autograder.catalog import Course
from autograder.checks import Check
from autograder.handout import Cell, Handout
from course.site.closed import closed_by
from course.site.lessons import Staged, links, stage

SHOWN_BY_EXAMPLES = "minengine.oracle.attention"
# folder of course/examples -> title, and the text of its page where it has one; files of these
# kinds are shown
PROGRAMS = {
    "cpp": ("A transformer layer in C++", ""),
    "cuda": ("A ladder of CUDA kernels", "ladder.md"),
}
PLACE = re.compile(r"^<!-- ([\w.]+) -->$", re.M)  # of a file in such a text
LANGUAGES = {"": "make", ".py": "python", ".cpp": "cpp", ".hpp": "cpp", ".cu": "cuda"}


def pages(course: Course) -> Iterator[tuple[str, str]]:
    """(path in the site's source, text) of each assignment and each lab."""
    for id_ in course.assignments():
        one = course.assignment(id_)
        yield (
            f"assignments/{id_}.md",
            page(one.handout, one.checks, f"assignments/{id_}/handout.py"),
        )
    for path in sorted((course.root / "labs").glob("*.py")):
        checked_too = (path.with_suffix("") / "checks.py").is_file()
        checks = course.assignment(path.stem).checks if checked_too else ()
        number = path.stem.partition("_")[0]
        yield f"labs/{number}.md", page(handout.parse(path), checks, f"labs/{path.name}")


def examples(course: Course, *, student: bool) -> Iterator[tuple[str, str]]:
    """(path, text) of the list of code examples and of the notebooks among them; `programs` has
    the pages of the others.

    They do what an assignment asks for, so students see them when its code is open.
    """
    if student and closed_by(course.syllabus, SHOWN_BY_EXAMPLES):
        return
    folder = course.root / "course" / "examples"
    notebooks = [handout.parse(path) for path in sorted((folder / "python").glob("*.py"))]
    rows = [(text.path.stem, text.title) for text in notebooks]
    for text in notebooks:
        file = text.path.relative_to(course.root).as_posix()
        note = f"This page is the text of `{file}`, which runs as a script and opens as a notebook."
        yield f"examples/{text.path.stem}.md", page(text, (), file, note)
    rows += [(name, title) for name, (title, _) in PROGRAMS.items()]
    links_ = "\n".join(f"- [{title}]({name}.md)" for name, title in rows)
    tree = "\n".join(name for name, _ in rows)
    text = f"# Code examples\n\n{links_}\n\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"
    yield "examples/index.md", text


def programs(course: Course, *, student: bool) -> Iterator[tuple[str, str, Staged]]:
    """(page, file, text made ready) of each folder of programs; its text may have cells.

    In a folder's own text a line `<!-- FILE -->` is where a file stands; what it does not place
    comes at the end.
    """
    if student and closed_by(course.syllabus, SHOWN_BY_EXAMPLES):
        return
    for name, (title, own) in PROGRAMS.items():
        folder = course.root / "course" / "examples" / name
        files = {p.name: p for p in sorted(folder.glob("*")) if p.suffix in LANGUAGES}
        files = {file: p for file, p in files.items() if p.is_file()}
        opening = f"# {title}\n\nThe files of `course/examples/{name}`.\n"
        text = (folder / own).read_text(encoding="utf-8") if own else opening
        rest = sorted(set(files) - set(PLACE.findall(text)))
        shown = {file: listing(path) for file, path in files.items()}
        text = PLACE.sub(lambda found, shown=shown: f"`{found[1]}`\n\n{shown[found[1]]}", text)
        text = "\n\n".join([text.rstrip(), *(f"## {file}\n\n{shown[file]}" for file in rest)])
        file = f"course/examples/{name}/{own or 'Makefile'}"
        yield f"examples/{name}.md", file, stage(text + "\n", file)


def listing(path: Path) -> str:
    """A file as a block of code."""
    return fenced(path.read_text(encoding="utf-8").rstrip(), LANGUAGES[path.suffix])


def page(text: Handout, checks: Iterable[Check], file: str, note: str = "") -> str:
    """The notebook as a page; `file` is where it stands in the repository, `note` what its readers
    are told in place of how it is handed in.
    """
    checks = list(checks)
    blocks = [block(cell, checks) for cell in text.cells]
    title, _, rest = blocks[0].partition("\n")
    blocks[0] = f"{title}\n\n{box(note or facts(text, checks))}\n{rest}"
    return links("\n\n".join(blocks) + "\n", file)


def facts(text: Handout, checks: list[Check]) -> str:
    """How much it is, and how to get and check it."""
    parts = []
    if text.holes:
        n_hidden = sum(c.visibility != "visible" for c in checks)
        hidden = f" ({n_hidden} of them not shown before grading)" if n_hidden else ""
        points = sum(c.points for c in checks)
        parts.append(f"{len(text.holes)} tasks, {len(checks)} checks{hidden}, {points:g} points.")
    answers = [c for c in text.cells if c.kind == "answer"]
    if answers:
        points = sum(c.points for c in answers)
        parts.append(f"{len(answers)} answers in words, {points:g} points, marked by a human.")
    parts.append(f"This page is the text of the notebook `{text.assignment}.ipynb`.")
    if checks:
        parts.append(f"Check it with `autograder check {text.assignment}.ipynb`.")
    return "\n".join(parts)


def box(text: str) -> str:
    """What stands under a title."""
    return f":::{{container}} facts\n\n{text}\n\n:::"


def block(cell: Cell, checks: list[Check]) -> str:
    """One cell as Markdown."""
    if cell.kind == "markdown":
        return cell.source
    if cell.kind == "answer":
        asked = f"{cell.source}\n\n" if cell.source.strip() else ""
        return f"::::{{container}} hole\n\n{asked}[{cell.points:g} points]{{.note}}\n\n::::"
    if cell.kind == "hole":
        return f":::{{container}} hole\n\n{fenced(cell.source)}\n\n:::"
    if cell.kind == "check":
        return f"{fenced(cell.source)}\n\n{checked([c for c in checks if c.hole == cell.name])}"
    return fenced(cell.source)


def checked(checks: list[Check]) -> str:
    """What a check cell looks at, each with its points, on demand."""
    shown = [c for c in checks if c.visibility == "visible"]
    rows = [f"- {c.title} ({c.points:g})" for c in shown]
    total, open_ = sum(c.points for c in checks), sum(c.points for c in shown)
    if len(checks) > len(shown):
        n = len(checks) - len(shown)
        rows.append(f"- {n} more that grading alone shows ({total - open_:g})")
    return f":::{{on-demand}} What is checked, {total:g} points\n" + "\n".join(rows) + "\n:::"


def fenced(source: str, language: str = "python") -> str:
    """A block of code whose fence is longer than any in it."""
    fence = "```"
    while fence in source:
        fence += "`"
    return f"{fence}{language}\n{source}\n{fence}"
