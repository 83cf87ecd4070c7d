"""Drawings of lesson 2.5: strides, bytes of blocks, a file, scratch, the roofline.

Owns: these drawings, and which fields a block has in which order (``FIELDS``, from `blocks.pxd`).
Must not know: the lesson's text. Read before: `shapes.py`, `minengine/blocks.pxd`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from course.charts import (
    AMBER,
    BLUE,
    COLOURS,
    FAINT,
    GREEN,
    INK,
    RED,
    SOFT,
    VIOLET,
    Drawing,
    chart,
    finish,
)
from course.figures.shapes import SMALL, box, canvas, label
from minengine.gguf import File

# format -> (field, bytes) in the order of the file; colours go by the field's kind
FIELDS: dict[str, tuple[tuple[str, int], ...]] = {
    "Q8_0": (("d", 2), ("q", 32)),
    "Q4_0": (("d", 2), ("q", 16)),
    "Q4_1": (("d", 2), ("m", 2), ("q", 16)),
    "Q5_0": (("d", 2), ("h", 4), ("q", 16)),
    "Q5_1": (("d", 2), ("m", 2), ("h", 4), ("q", 16)),
    "Q2_K": (("s", 16), ("q", 64), ("d", 2), ("dmin", 2)),
    "Q3_K": (("h", 32), ("q", 64), ("s", 12), ("d", 2)),
    "Q4_K": (("d", 2), ("dmin", 2), ("s", 12), ("q", 128)),
    "Q5_K": (("d", 2), ("dmin", 2), ("s", 12), ("h", 32), ("q", 128)),
    "Q6_K": (("ql", 128), ("qh", 64), ("s", 16), ("d", 2)),
    "MXFP4": (("e", 1), ("q", 16)),
}
KINDS = {
    "d": RED, "dmin": AMBER, "m": AMBER, "e": RED, "s": VIOLET, "h": GREEN, "qh": GREEN, "q": BLUE,
    "ql": BLUE,
}  # fmt: skip
MEANINGS = {
    RED: "scale", AMBER: "minimum, or its scale", VIOLET: "scales of sub-blocks",
    GREEN: "high bits", BLUE: "codes",
}  # fmt: skip


def strides(views: Mapping[str, np.ndarray]) -> Drawing:
    """Small 2-D views: each element's place in memory (from the real strides), rows in colours."""
    high = sum(v.shape[0] * 3 + 7.5 for v in views.values())
    figure, axes = canvas(4.8, high / 10)
    top = high
    for title, view in views.items():
        step = tuple(s // view.itemsize for s in view.strides)
        kind = "contiguous" if view.flags.c_contiguous else "not contiguous"
        label(
            axes, 1, top - 2, f"{title}: shape {view.shape}, strides {view.strides}, {kind}", size=9
        )
        for i in range(view.shape[0]):
            for j in range(view.shape[1]):
                place = i * step[0] + j * step[1]
                box(axes, 2 + 3.4 * j, top - 6.4 - 3 * i, 3.4, 3, str(place),
                    COLOURS[i % len(COLOURS)], size=SMALL, fill=0.25)  # fmt: skip
        top -= view.shape[0] * 3 + 7.5
    said = "; ".join(f"{t}: strides {v.strides}" for t, v in views.items())
    return finish(figure, alt=f"Views of one array; the number in a cell is where it lies. {said}.")


def block_maps(names: Sequence[str], per_row: int = 32) -> Drawing:
    """The bytes of one block of each format, a cell a byte, coloured by what they are."""
    w, gap = 1.38, 4.6
    rows = {n: -(-sum(b for _, b in FIELDS[n]) // per_row) for n in names}
    high = sum(1.8 * r + gap for r in rows.values()) + 5
    figure, axes = canvas(4.8, high / 10)
    top = high - 0.5
    for i, (colour, text) in enumerate(MEANINGS.items()):
        x, y = 1 + 16 * (i % 3), top - 1.4 - 2 * (i // 3)
        box(axes, x, y - 0.6, 1.2, 1.2, "", colour, fill=0.5)
        label(axes, x + 2, y, text, size=8)
    top -= 5
    for name in names:
        total = sum(b for _, b in FIELDS[name])
        fields = ", ".join(f"{f} {b}" for f, b in FIELDS[name])
        label(axes, 1, top - 1.2, f"{name}: {total} bytes ({fields})", size=9)
        at = 0
        for field, n_bytes in FIELDS[name]:
            for k in range(at, at + n_bytes):
                x, y = 1 + w * (k % per_row), top - 4.2 - 1.8 * (k // per_row)
                box(axes, x, y, w, 1.6, "", KINDS[field], fill=0.45)
            at += n_bytes
        top -= 1.8 * rows[name] + gap
    said = "; ".join(f"{n}: " + ", ".join(f"{f} {b} bytes" for f, b in FIELDS[n]) for n in names)
    return finish(figure, alt=f"Bytes of one block. {said}.")


class Region(NamedTuple):
    """A stretch of a file."""

    name: str
    start: int
    end: int


def regions(file: File) -> list[Region]:
    """What lies where in a GGUF file: what comes before the data, then tensors grouped by layer."""
    tensors = sorted(file.tensors.values(), key=lambda t: t.offset)
    found = [Region("header, metadata, directory", 0, tensors[0].offset)]
    for t in tensors:
        name = ".".join(t.name.split(".")[:2]) if t.name.startswith("blk") else t.name.split(".")[0]
        if found[-1].name == name:
            found[-1] = found[-1]._replace(end=t.offset + t.nbytes)
        else:
            found.append(Region(name, t.offset, t.offset + t.nbytes))
    return found


def file_map(file: File) -> Drawing:
    """A file from first byte to last, to scale."""
    parts = regions(file)
    figure, axes = chart(5.2, 0.6 + 0.3 * len(parts))
    for i, (part, colour) in enumerate(zip(parts, COLOURS * 4, strict=False)):
        axes.barh(i, (part.end - part.start) / 2**20, left=part.start / 2**20, color=colour,
                  alpha=0.8)  # fmt: skip
        axes.text(part.end / 2**20 + 0.03, i, f"{(part.end - part.start) / 1024:,.0f} KiB",
                  va="center", size=SMALL, color=INK)  # fmt: skip
    axes.set_yticks(range(len(parts)), [p.name for p in parts])
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("MiB from the start of the file")
    return finish(figure, alt="The file, to scale: "
                  + ", ".join(f"{p.name} {p.end - p.start:,} bytes" for p in parts))  # fmt: skip


class Buffer(NamedTuple):
    """A temporary array: when it is made, when it is last read, its bytes, where it was put."""

    name: str
    first: int
    last: int
    n_bytes: int
    offset: int = 0


def scratch(buffers: Sequence[Buffer], steps: Sequence[str]) -> Drawing:
    """Temporary arrays as boxes: time from left to right, place in the scratch memory upwards."""
    figure, axes = chart(5.2, 3.6)
    top, total = max(b.offset + b.n_bytes for b in buffers), sum(b.n_bytes for b in buffers)
    for b, colour in zip(buffers, COLOURS * 4, strict=False):
        y = np.array([b.offset, b.offset + b.n_bytes]) / 1024
        x = [b.first, b.last + 1]
        axes.fill([x[0], x[1], x[1], x[0]], [y[0], y[0], y[1], y[1]], facecolor=colour, alpha=0.35,
                  edgecolor=colour)  # fmt: skip
        axes.text(sum(x) / 2, y.mean(), b.name, ha="center", va="center", color=INK,
                  size=7.5 if b.n_bytes > top / 20 else 5.5)  # fmt: skip
    axes.set_xticks(np.arange(len(steps)) + 0.5, steps, rotation=45, ha="right", size=7.5)
    axes.set_xlim(0, len(steps))
    axes.set_ylabel("KiB of scratch")
    alt = (
        f"{len(buffers)} temporary arrays of {total:,} bytes in all take {top:,} bytes of scratch, "
        "for places are used again."
    )
    return finish(figure, alt=alt)


def roofline(
    bandwidth: float, peak: float, series: Mapping[str, Sequence[tuple[float, float]]]
) -> Drawing:
    """Operations a second against operations a byte; bandwidth in bytes/s, peak in operations/s.

    ``series``: for each kind of product its points (operations a byte, operations a second).
    """
    figure, axes = chart(5.2, 3.4)
    x = np.logspace(-1.2, 3, 200)
    axes.plot(x, np.minimum(x * bandwidth, peak) / 1e9, color=SOFT)
    ridge = peak / bandwidth
    axes.axvline(ridge, color=FAINT, linewidth=1)
    words = f"ridge: {ridge:.1f}\noperations a byte"
    axes.text(ridge * 1.15, peak / 1e9 * 1.15, words, size=SMALL, color=INK)
    for (name, points), colour in zip(series.items(), COLOURS, strict=False):
        rates = [rate / 1e9 for _, rate in points]
        axes.plot([i for i, _ in points], rates, "o-", color=colour, linewidth=0.8, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(top=peak / 1e9 * 3)
    axes.set_xlabel("operations for each byte read")
    axes.set_ylabel("10⁹ operations a second")
    figure.legend(loc="outside upper center", ncols=4, fontsize=SMALL, columnspacing=1.2)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{r / 1e9:.1f} billion a second at {i:.2g}" for i, r in points)
        for name, points in series.items()
    )
    alt = (
        f"Roofline of this machine: {bandwidth / 1e9:.0f} GB/s up to {ridge:.1f} operations a byte,"
        f" then {peak / 1e9:.0f} billion operations a second. {said}."
    )
    return finish(figure, alt=alt)


def times(rows: Mapping[str, float]) -> Drawing:
    """Nanoseconds for each element, for several orders of access."""
    figure, axes = chart(5.2, 0.7 + 0.34 * len(rows))
    bars = axes.barh(list(rows), list(rows.values()), color=BLUE, alpha=0.8)
    axes.bar_label(bars, [f"{v:.2f}" for v in rows.values()], padding=3, size=SMALL, color=SOFT)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("nanoseconds an element")
    return finish(figure, alt="Nanoseconds an element: "
                  + ", ".join(f"{k} {v:.2f}" for k, v in rows.items()))  # fmt: skip
