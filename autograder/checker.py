"""``check("rms_norm")`` in a student's notebook: the visible checks of a hole on the live names.

Owns: Checker and how results look in a notebook (HTML) and in a terminal (text). Everything shown
is escaped. Must not know: sandboxes, marks. Needs no Jupyter. Read before: checks.py, local.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from autograder import catalog, checks
from autograder.checks import Result, Seeds
from autograder.hints import Hint
from autograder.local import LocalStudent

STYLE = (
    "border-left:4px solid {color};padding:.3em .8em;margin:.3em 0;font-family:sans-serif;"
    "line-height:1.4;overflow-wrap:anywhere"
)
GREEN, RED = "#2a9d4a", "#d1342f"


class ChecksFailed(AssertionError):
    """Some check failed. Short in a notebook: the panel above it has said all."""

    def _render_traceback_(self) -> list[str]:
        return [f"ChecksFailed: {self}"]


class Checker:
    """The checks of an assignment on a notebook's names: ``check = Checker("01_x", globals())``."""

    def __init__(self, assignment: str, namespace: Mapping[str, Any], course: str | None = None):
        self._assignment = catalog.find_course(course).assignment(assignment)
        self._student = LocalStudent(namespace)

    def __call__(self, hole: str, *, seed: int = 0) -> None:
        """Run the visible checks of ``hole`` and show what they say; raises ChecksFailed."""
        if hole not in self._assignment.handout.holes:
            names = ", ".join(self._assignment.handout.holes)
            raise ChecksFailed(f"there is no task {hole!r}; there is {names}")
        mine = [c for c in self._assignment.checks if c.hole == hole]
        chosen = [c for c in mine if c.visibility == "visible"]
        hints = self._assignment.hints
        notebook = f"{self._assignment.id}.ipynb"
        found = checks.run(
            chosen, self._student, Seeds((seed,)), hints=hints, reveal=True, notebook=notebook
        )
        show(hole, found, hints)
        failed = [r for r in found if not r.passed]
        if failed:
            raise ChecksFailed(f"{hole}: {len(failed)} of {len(found)} checks failed")


def show(hole: str, found: Iterable[Result], hints: Mapping[str, Hint]) -> None:
    """HTML in a notebook, plain text anywhere else."""
    found = list(found)
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and hasattr(shell, "kernel"):
        ipython.display.display(ipython.display.HTML(html(hole, found, hints)))
    else:
        print(text(hole, found, hints))


def html(hole: str, found: Iterable[Result], hints: Mapping[str, Hint]) -> str:
    """A panel: each check with its verdict in words, and the ladder of hints to unfold."""
    found = list(found)
    rows = "".join(_row(r, hints.get(r.tag)) for r in found)
    style = STYLE.format(color=GREEN if all(r.passed for r in found) else RED)
    return f'<div style="{style}"><b>{escape(_headline(hole, found))}</b>{rows}</div>'


def text(hole: str, found: Iterable[Result], hints: Mapping[str, Hint]) -> str:
    """The same for a terminal."""
    found = list(found)
    lines = [_headline(hole, found)]
    for r in found:
        lines.append(f"  [{'ok' if r.passed else r.status}] {r.title}")
        if r.note:
            lines.append(f"       note: {r.note}")
        if not r.passed:
            hint = hints.get(r.tag)
            title = [f"{r.tag}: {hint.title}"] if hint else [r.tag]
            more = [*title, *r.message.splitlines(), f"hint: {r.hint}", f"again: {r.replay}"]
            lines += [f"       {line}" for line in more]
    return "\n".join(lines)


def _headline(hole: str, found: list[Result]) -> str:
    passed = sum(r.passed for r in found)
    points = sum(r.points for r in found)
    most = sum(r.max_points for r in found)
    return f"{hole}: {passed} of {len(found)} checks passed, {points:g} of {most:g} points"


def _row(r: Result, hint: Hint | None) -> str:
    note = f" <i>({escape(r.note)})</i>" if r.note else ""
    if r.passed:
        return f'<div><span style="color:{GREEN}">passed</span> {escape(r.title)}{note}</div>'
    ladder = ""
    for rung in ("where", "example") if hint else ():
        if said := getattr(hint, rung):
            ladder += (
                f"<details><summary>{rung.capitalize()}</summary>"
                f'<pre style="white-space:pre-wrap">{escape(said)}</pre></details>'
            )
    title = escape(f"{r.tag}: {hint.title}" if hint else r.tag)
    idea = escape(hint.idea if hint else r.hint)
    return (
        f'<div style="margin-top:.4em"><span style="color:{RED}">{escape(r.status)}</span> '
        f"{escape(r.title)}<div><b>{title}</b>. {idea}</div>"
        f'<pre style="white-space:pre-wrap">{escape(r.message)}</pre>{ladder}'
        f"<div>again: <code>{escape(r.replay)}</code></div></div>"
    )
