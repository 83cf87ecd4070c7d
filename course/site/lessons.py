"""A lesson's text made ready for Sphinx: where the numbers of its prose come from.

A lesson writes {eval}`expression` in its prose. Such an expression is evaluated where it stands,
after the code cell above it, in a cell of its own that no page shows; so executions can be cached,
and `course/claims.py` can list each number with its code. Text is shown as it is, whole numbers
with commas, others to four digits: for another form write an f-string.

Owns: this notation. Must not know: Sphinx, navigation.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass

# file of the repository -> its page
PAGES_OF = (
    (r"assignments/(\w+)/handout\.py", r"assignments/\1.md"),
    (r"labs/(\d\.\d)_\w+\.py", r"labs/\1.md"),
    (r"course/(\w+)/([\w.]+)\.md", r"\1/\2.md"),
    (r"course/glossary\.md", "glossary.md"),
    (r"CONTRIBUTING\.md", "inside.md"),
    (r"(minengine|cudasim|autograder|quizzes)/(\w+)\.(?:py|pyx|pxd)", r"source/\1.\2.md"),
)
EVAL = re.compile(r"\{eval\}`([^`]+)`")
HEADER = """\
---
file_format: mystnb
kernelspec:
  name: python3
  display_name: Python 3
---
"""
# What the first of those cells defines: `show` turns a value into the text of a sentence.
PRELUDE = """\
from myst_nb import glue as _glue
def _show(value):
    import numbers
    if isinstance(value, (str, bool)):
        return str(value)
    return f"{value:,}" if isinstance(value, numbers.Integral) else f"{value:.4g}"
"""


class LessonError(ValueError):
    """A lesson whose text cannot be used; says file:line."""


@dataclass(frozen=True)
class Claim:
    """A value shown in prose: its key on the page, its line in the lesson, its expression."""

    key: str
    line: int
    expression: str


@dataclass(frozen=True)
class Staged:
    """A lesson as Sphinx reads it; line n of `text` comes from line `origin[n - 1]` of its file."""

    text: str
    claims: tuple[Claim, ...]
    origin: tuple[int, ...]


def stage(text: str, name: str) -> Staged:
    """The lesson with each {eval} as the name of a value that a hidden cell computes.

    Raises: LessonError where an {eval} stands before every code cell, or a cell does not end.
    """
    header, body, skipped = _header(links(text, name))
    out: list[tuple[str, int]] = []  # a line and its number in the lesson
    claims: list[Claim] = []
    pending: list[Claim] = []  # those since the last code cell
    after: int | None = None  # where in `out` the last code cell ended
    fence = ""  # the fence of the block that we are in, where its text is not prose
    in_cell = False
    boxes: list[str] = []  # the fences of the directives that we are in: their text is prose
    for number, line in enumerate(body, skipped + 1):
        opened = re.match(r"\s*(`{3,}|~{3,})(.*)", line)
        if fence:
            out.append((line, number))
            if opened and opened[1].startswith(fence) and not opened[2].strip():
                if in_cell:
                    after = len(out)
                fence, in_cell = "", False
            continue
        if opened and not opened[2].strip() and opened[1] in boxes[-1:]:
            boxes.pop()
        elif opened and opened[2].startswith("{") and not opened[2].startswith("{code-cell}"):
            boxes.append(opened[1])
        elif opened:
            fence, in_cell = opened[1], opened[2].startswith("{code-cell}")
            if in_cell:
                _place(out, pending, after, name)
        elif "{eval}`" in line:
            line = _number(line, number, claims, pending)
        out.append((line, number))
    if fence:
        raise LessonError(f"{name}: a block that begins with {fence} does not end")
    _place(out, pending, after, name)
    origin = [1] * header.count("\n") + [number for _, number in out]
    return Staged(header + "\n".join(t for t, _ in out) + "\n", tuple(claims), tuple(origin))


def links(text: str, file: str) -> str:
    """The text with links to files of the repository as links to their pages.

    `file` is where the text stands: [x](../../assignments/01_x/handout.py) in course/lessons/2.1.md
    leads to the page assignments/01_x.
    """
    folder = posixpath.dirname(file)
    depth = "../" * (1 if folder else 0)

    def replace(found: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, found[1]))
        for pattern, page in PAGES_OF:
            if match := re.fullmatch(pattern, target):
                return f"]({depth}{match.expand(page)}{found[2] or ''})"
        return found[0]

    return re.sub(r"\]\((?![a-z]+:)([\w./-]+)(#[\w-]+)?\)", replace, text)


def _header(text: str) -> tuple[str, list[str], int]:
    """(front matter, the other lines, how many lines the front matter of the lesson had)."""
    lines = text.splitlines()
    if not lines or lines[0] != "---":
        return (HEADER if "{code-cell}" in text else ""), lines, 0
    end = lines.index("---", 1)
    front = "\n".join(lines[: end + 1]) + "\n"
    return (front if "kernelspec" in front else HEADER), lines[end + 1 :], end + 1


def _number(line: str, number: int, claims: list[Claim], pending: list[Claim]) -> str:
    """The line with each {eval} replaced by the name of its value."""

    def replace(found: re.Match[str]) -> str:
        claim = Claim(f"n{len(claims) + 1}", number, found[1])
        claims.append(claim)
        pending.append(claim)
        return f"{{glue:text}}`{claim.key}`"

    return EVAL.sub(replace, line)


def _place(out: list[tuple[str, int]], pending: list[Claim], after: int | None, name: str) -> None:
    """Put the cell that computes the pending values after the last code cell; empties `pending`."""
    if not pending:
        return
    if after is None:
        raise LessonError(f"{name}:{pending[0].line}: {{eval}} before the first code cell")
    cell = [("", 0), ("```{code-cell} ipython3", 0), (":tags: [remove-cell]", 0), ("", 0)]
    cell += [(line, pending[0].line) for line in PRELUDE.splitlines()]
    for claim in pending:
        code = f"_glue({claim.key!r}, _show({claim.expression}), display=False)"
        cell.append((code, claim.line))
    out[after:after] = [*cell, ("```", 0)]
    pending.clear()
