"""What a lab's notebook uses: ``show`` a drawing or a table, ``note`` what was measured.

    lab.show(drawing)                       # an SVG in a notebook and in the report
    lab.show(lab.table(rows, ["k", "bits"]))
    lab.note("hit_rate", 0.75)              # goes into the task ``findings``
    lab.show(lab.code(kv_cache.growth))     # the text of the function that is about to run

Owns: these, in a notebook, in a script and under ``lab report``. Must not know: any lab, checks.
Read after: ``running.py``, ``report.py``.
"""

from __future__ import annotations

import inspect
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

__all__ = ["Table", "Text", "code", "note", "plain", "show", "table"]

# where ``lab report`` listens: what is shown, and what is noted
SHOWN: ContextVar[list[Any] | None] = ContextVar("shown", default=None)
NOTED: ContextVar[dict[str, Any] | None] = ContextVar("noted", default=None)
DIGITS = 6  # significant ones of a number that is noted


@dataclass(frozen=True)
class Table:
    """Rows under headings; every cell is shown as text."""

    rows: tuple[tuple[str, ...], ...]
    headings: tuple[str, ...]

    def __str__(self) -> str:
        lines = [self.headings, *self.rows]
        widths = [max(len(row[i]) for row in lines) for i in range(len(self.headings))]
        texts = ("  ".join(c.rjust(w) for c, w in zip(r, widths, strict=True)) for r in lines)
        return "\n".join(texts)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(h)}</th>" for h in self.headings)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in self.rows
        )
        return f'<table class="numbers"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


@dataclass(frozen=True)
class Text:
    """Text as it is, every space kept: source code, or what a model wrote."""

    text: str

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self.text)}</pre>"


def table(rows: Iterable[Sequence[Any]], headings: Sequence[str]) -> Table:
    """A table of anything; numbers with four significant digits."""
    return Table(tuple(tuple(_cell(c) for c in row) for row in rows), tuple(headings))


def _cell(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def code(thing: Any) -> Text:
    """The source of a function or class that a lab uses."""
    return Text(inspect.getsource(thing).rstrip())


def show(thing: Any) -> None:
    """Show a drawing, a table or a text where the code runs."""
    shown = SHOWN.get()
    if shown is not None:
        shown.append(thing)
        return
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None and hasattr(shell, "kernel"):
        ipython.display.display(thing)
    else:  # a script on a terminal: a drawing says what is to be seen
        print(getattr(thing, "alt", None) or thing)


def note(name: str, value: Any) -> None:
    """Note what was measured, under a name that the lab gives.

    TypeError or ValueError for what is no number, text, list or mapping of these, or not finite.
    """
    noted, kept = NOTED.get(), plain(value)
    if noted is not None:
        noted[name] = kept


def plain(value: Any) -> Any:
    """The value as plain Python, floats with DIGITS digits, so that it can be written down."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        if not math.isfinite(value):
            raise ValueError(f"note: {value} is no finite number")
        return float(f"{float(value):.{DIGITS}g}")
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return {k if isinstance(k, str) else str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    raise TypeError(f"note: got {type(value).__name__}, want numbers, texts, lists or mappings")
