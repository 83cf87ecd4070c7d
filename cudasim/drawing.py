"""Which threads touch which cells, as a drawing, for launches small enough to see.

Owns: the SVG. Threads of the first block stand in the middle; what they read is to their left, what
they write to their right, a line for each access, as GPU-Puzzles draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from cudasim.launching import place
from cudasim.observation import Observation
from cudasim.watching import SHARED, Region, TouchRow

MAX_THREADS = 32
MAX_CELLS = 64
MAX_TOUCHES = 600
CELL, GAP = 18, 26
LEFT, MIDDLE, RIGHT = 150, 430, 710  # of the cells of each column


def draw(report: Observation) -> str:
    """The SVG, or "" where the block is too large, or nothing was traced."""
    touches = [t for t in report.trace if t.block == 0]
    n = report.geometry.n_threads
    if not touches or n > MAX_THREADS or len(touches) > MAX_TOUCHES:
        return ""
    used = sorted({t.region for t in touches})
    if any(report.regions[i].n_bytes // report.regions[i].element > MAX_CELLS for i in used):
        return ""
    reads = column(report.regions, [t for t in touches if t.access != 1], LEFT)
    writes = column(report.regions, [t for t in touches if t.access != 0], RIGHT)
    height = max(reads[1], writes[1], GAP + n * CELL) + 10
    top = GAP + max(0, (height - GAP - n * CELL) // 2)
    parts = [f'<text x="{MIDDLE}" y="{top - 8}">threads</text>']
    seen = {(t.thread, t.region, t.offset, t.access): t for t in touches}
    for t in seen.values():
        parts += wires(t, n, report.regions[t.region], reads[0], writes[0], top)
    for i in range(n):
        parts.append(
            box(MIDDLE, top + i * CELL, hue(i, n), str(i), place(i, report.geometry.block))
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" '
        'font-family="sans-serif" font-size="11">'
        + "".join([*reads[2], *writes[2], *parts])
        + "</svg>"
    )


def hue(i: int, n: int) -> str:
    return f"hsl({360 * i // n},65%,72%)"


def box(x: int, y: int, fill: str, text: str, title: str) -> str:
    return (
        f'<g><title>{escape(title)}</title><rect x="{x}" y="{y}" width="{CELL * 2}" '
        f'height="{CELL - 2}" fill="{fill}" stroke="#556"/>'
        f'<text x="{x + CELL}" y="{y + 12}" text-anchor="middle">{escape(text)}</text></g>'
    )


def column(
    regions: Sequence[Region], touches: Sequence[TouchRow], x: int
) -> tuple[dict[int, int], int, list[str]]:
    """The arrays of one side, one under the other: where each begins, the height, the drawing."""
    begins: dict[int, int] = {}
    parts: list[str] = []
    y = 0
    for i in sorted({t.region for t in touches}):
        region = regions[i]
        y += GAP
        name = ("__shared__ " if region.space == SHARED else "") + region.name
        verb = "read" if x == LEFT else "written"
        parts.append(f'<text x="{x}" y="{y - 8}">{escape(name)}, {verb}</text>')
        begins[i] = y
        n = max(1, region.n_bytes // region.element)
        hit = {t.offset // region.element for t in touches if t.region == i}
        for k in range(n):
            fill = "#fff" if k in hit else "#eceff2"
            label = region.cell(k * region.element)
            parts.append(box(x, y + k * CELL, fill, str(k), label))
        y += n * CELL
    return begins, y, parts


def wires(
    t: TouchRow, n: int, region: Region, reads: dict[int, int], writes: dict[int, int], top: int
) -> list[str]:
    """A line from the cell to the thread, or from the thread to the cell."""
    cell = t.offset // region.element
    at = top + t.thread * CELL + CELL // 2
    colour = f"hsl({360 * t.thread // n},60%,45%)"
    made = []
    for begins, x1, x2 in (
        (reads if t.access != 1 else {}, LEFT + 2 * CELL, MIDDLE),
        (writes if t.access != 0 else {}, RIGHT, MIDDLE + 2 * CELL),
    ):
        if t.region in begins and cell >= 0:
            y = begins[t.region] + cell * CELL + CELL // 2
            made.append(f'<line x1="{x1}" y1="{y}" x2="{x2}" y2="{at}" stroke="{colour}"/>')
    return made
