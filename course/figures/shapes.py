"""Boxes, arrows and grids of cells: what diagrams are made of.

Owns: how a diagram's parts look. Must not know: what any of it means. Read before:
`course/charts.py`. A canvas counts in tenths of an inch from the lower left corner; text of ten
points is about 1.4 high and a letter about 0.75 wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course.charts import FAINT, INK, SOFT, blank

SMALL = 8.5  # points, of text beside the main thing


def canvas(wide: float, high: float) -> tuple[Any, Any]:
    """A figure of so many inches and its axes: x from 0 to 10 wide, y from 0 to 10 high."""
    figure, axes = blank(wide, high)
    axes.set_xlim(0, 10 * wide)
    axes.set_ylim(0, 10 * high)
    return figure, axes


def box(
    axes: Any, x: float, y: float, w: float, h: float, text: str = "", colour: str = SOFT,
    *, fill: float = 0.15, size: float = 10, ink: str = INK,
) -> None:  # fmt: skip
    """A rectangle with its text in the middle; (x, y) is the lower left corner."""
    shape = [x, x + w, x + w, x], [y, y, y + h, y + h]
    axes.fill(*shape, facecolor=colour, alpha=fill, linewidth=0)
    axes.fill(*shape, fill=False, edgecolor=colour, linewidth=1)
    if text:
        axes.text(x + w / 2, y + h / 2, text, ha="center", va="center", size=size, color=ink)


def arrow(
    axes: Any, start: tuple[float, float], end: tuple[float, float], colour: str = SOFT,
    *, bend: float = 0.0, width: float = 1.1, dashed: bool = False,
) -> None:  # fmt: skip
    """An arrow from start to end; ``bend`` curves it, 0 is straight."""
    style = {
        "arrowstyle": "-|>", "color": colour, "linewidth": width, "shrinkA": 0, "shrinkB": 0,
        "mutation_scale": 8, "connectionstyle": f"arc3,rad={bend}",
        "linestyle": "--" if dashed else "-",
    }  # fmt: skip
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def line(axes: Any, *points: tuple[float, float], colour: str = SOFT, width: float = 1.1) -> None:
    """A line through points."""
    axes.plot(*zip(*points, strict=True), color=colour, linewidth=width, solid_capstyle="butt")


def label(
    axes: Any, x: float, y: float, text: str, *, size: float = SMALL, colour: str = INK,
    align: str = "left", level: str = "center",
) -> None:  # fmt: skip
    """Text at a place: ``align`` left, center, right; ``level`` center, bottom, top."""
    axes.text(x, y, text, ha=align, va=level, size=size, color=colour)


def row(
    axes: Any, x: float, y: float, texts: Sequence[str], colours: Sequence[str | None],
    *, w: float = 2.4, h: float = 2.4, size: float = SMALL, fill: float = 0.25,
) -> None:  # fmt: skip
    """Cells side by side from x on; a colour of None is an empty cell."""
    for i, (text, colour) in enumerate(zip(texts, colours, strict=True)):
        box(
            axes, x + i * w, y, w, h, text, colour or FAINT, size=size,
            fill=fill if colour else 0.0,
        )  # fmt: skip
