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
from autograder.feedback import RUNGS
from autograder.hints import Hint
from autograder.local import LocalStudent

STYLE = (
    "border-left:4px solid {color};padding:.3em .8em;margin:.3em 0;font-family:sans-serif;"
    "line-height:1.4;overflow-wrap:anywhere"
)
# grey that is seen on a notebook's white and on its dark theme
PRE = (
    "white-space:pre-wrap;margin:.25em 0;padding:.4em .6em;border-radius:4px;"
    "background:rgba(128,128,128,.13);font-size:.95em"
)
CALLED = "called: "
GREEN, RED = "#2a9d4a", "#d1342f"


class ChecksFailed(AssertionError):
    """Some check failed. Short in a notebook: the panel above it has said all."""

    def _render_traceback_(self) -> list[str]:
        return [f"ChecksFailed: {self}"]


class Checker:
    """The checks of an assignment on a notebook's names: ``check = Checker("01_x", globals())``."""

    def __init__(self, assignment: str, namespace: dict[str, Any], course: str | None = None):
        self._assignment = catalog.find_course(course).assignment(assignment)
        self._student = LocalStudent(namespace, self._assignment.handout.holes)

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
    """A panel: each check with its verdict in words, and the ladder of hints to unfold.

    An idea that several checks fail for is explained at the first of them.
    """
    found, said = list(found), set()
    rows = ""
    for r in found:
        rows += _row(r, hints.get(r.tag), r.tag in said)
        said.add(r.tag)
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


def _row(r: Result, hint: Hint | None, again: bool) -> str:
    """One check; ``again``: its idea was explained above."""
    note = f" <i>({escape(r.note)})</i>" if r.note else ""
    if r.passed:
        sign = f'<span style="color:{GREEN}">✓ passed</span>'
        return f'<div style="margin-top:.3em">{sign} {escape(r.title)}{note}</div>'
    title = escape(f"{r.tag}: {hint.title}" if hint else r.tag)
    if again:
        idea, ladder = f"<b>{title}</b>, as above.", ""
    else:
        idea = f"<b>{title}</b>. {escape(hint.idea if hint else r.hint)}"
        rungs = [(label, getattr(hint, rung)) for rung, label in RUNGS] if hint else []
        ladder = "".join(_fold(label, text) for label, text in rungs if text)
    calls = [line for line in r.message.splitlines() if line.startswith(CALLED)]
    seen = "\n".join(line for line in r.message.splitlines() if line not in calls)
    call = _fold("The call", "\n".join(line.removeprefix(CALLED) for line in calls))
    sign = f'<span style="color:{RED};font-weight:bold">✗ {escape(r.status)}</span>'
    return (
        f'<div style="margin-top:.6em">{sign} {escape(r.title)}<div>{idea}</div>'
        f'<pre style="{PRE}">{escape(seen)}</pre>{call if calls else ""}{ladder}'
        f'<div style="opacity:.75">again: <code>{escape(r.replay)}</code></div></div>'
    )


def _fold(label: str, text: str) -> str:
    summary = f'<summary style="cursor:pointer">{escape(label)}</summary>'
    return f'<details>{summary}<pre style="{PRE}">{escape(text)}</pre></details>'
