"""Lab 2.4: where a tensor's elements lie, and what the order of reading them costs.

Owns: the layout of tensors as byte maps, timings of access orders. Must not know: what a student
wrote. Times are the best of several and are compared with each other within one run only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from course.charts import (
    AMBER,
    BLUE,
    GREEN,
    LEGEND,
    SOFT,
    TEAL,
    VIOLET,
    Drawing,
    blank,
    chart,
    finish,
)
from course.experiments.measures import ne_nb
from minengine.formats import FORMATS
from minengine.gguf import File

LINE = 64  # bytes that come from memory together, on nearly every machine of today


def inventory(file: File) -> list[tuple[str, str, str, str, int, int]]:
    """Name, format, ne, nb, offset and bytes of every tensor, in the file's order."""
    rows = []
    for info in sorted(file.tensors.values(), key=lambda t: t.offset):
        ne, nb = ne_nb(info)
        rows.append((info.name, info.format, str(ne), str(nb), info.offset, info.nbytes))
    return rows


def best_s(run: Callable[[], object], *, tries: int = 5, least_s: float = 0.01) -> float:
    """Seconds of one run: the best of several tries, each of enough runs to be timed."""
    n = 1
    while True:
        started = time.perf_counter()
        for _ in range(n):
            run()
        spent = time.perf_counter() - started
        if spent >= least_s or n >= 4096:
            break
        n *= 2
    times = [spent / n]
    for _ in range(tries - 1):
        started = time.perf_counter()
        for _ in range(n):
            run()
        times.append((time.perf_counter() - started) / n)
    return min(times)


@dataclass(frozen=True)
class Timed:
    """A way of reading: bytes used, the stride in bytes, nanoseconds an element, GB/s used."""

    name: str
    stride: int
    ns: float
    gbs: float


def strides(n_bytes: int, steps: Sequence[int]) -> list[Timed]:
    """Sum every ``step``-th float32 of an array too large for the caches.

    Whatever the step, a line of memory comes whole: from a step of 16 on each element has its own.
    """
    x = np.ones(n_bytes // 4, np.float32)
    rows = []
    for step in steps:
        view = x[::step]
        s = best_s(lambda view=view: view.sum())
        rows.append(Timed(f"step {step}", 4 * step, 1e9 * s / view.size, 4e-9 * view.size / s))
    return rows


def orders(n: int) -> list[Timed]:
    """Sum an n x n float32 matrix in the order it lies in, across it, and at random."""
    x = np.ones((n, n), np.float32)
    flat, at = x.ravel(), np.random.default_rng(0).permutation(n * n)
    in_order = np.arange(n * n)
    column = in_order.reshape(n, n).T.ravel().copy()
    ways = {"row by row": in_order, "column by column": column, "at random": at}
    rows = []
    for name, order in ways.items():
        s = best_s(lambda order=order: flat.take(order), tries=3)
        step = int(np.median(np.abs(np.diff(order)))) * 4
        rows.append(Timed(name, step, 1e9 * s / n**2, 4e-9 * n**2 / s))
    return rows


def sizes(n_bytes: Sequence[int]) -> list[Timed]:
    """Copy arrays of growing size: while both fit into a cache it is faster than memory."""
    rows = []
    for size in n_bytes:
        x, y = np.ones(size // 4, np.float32), np.empty(size // 4, np.float32)
        s = best_s(lambda x=x, y=y: np.copyto(y, x))
        rows.append(Timed(f"{size >> 10} KiB", size, 4e9 * s / size, 2e-9 * size / s))
    return rows


def formats(n: int, names: Sequence[str]) -> list[Timed]:
    """A matrix-vector product, n x n, in weights of several formats: fewer bytes, other work."""
    import minengine.ops as ops

    rng = np.random.default_rng(0)
    w = rng.normal(size=(n, n)).astype(np.float32)
    x, y, rows = rng.normal(size=(1, n)).astype(np.float32), np.empty((1, n), np.float32), []
    for name in names:
        form = FORMATS[name]
        raw = form.quantize(w)
        s = best_s(lambda raw=raw, form=form: ops.matmul(x, raw, form, y), tries=4)
        rows.append(Timed(name, form.row_bytes(n), 1e9 * s / n**2, 1e-9 * raw.nbytes / s))
    return rows


# Drawings -----------------------------------------------------------------------------------------

PARTS = {  # the bytes of one block, in order: what they are and how many
    "F32": [("codes", 4)],
    "F16": [("codes", 2)],
    "Q8_0": [("scales", 2), ("codes", 32)],
    "Q4_0": [("scales", 2), ("codes", 16)],
    "Q4_K": [("scales", 16), ("codes", 128)],
    "Q6_K": [("low bits", 128), ("high bits", 64), ("scales", 18)],
}


def draw_blocks(names: Sequence[str]) -> Drawing:
    """The bytes of one block of each format, to scale."""
    figure, axes = chart(7, 0.55 * len(names) + 0.9)
    kinds = {"scales": AMBER, "codes": BLUE, "low bits": VIOLET, "high bits": TEAL}
    for row, name in enumerate(names):
        at, form = 0, FORMATS[name]
        if sum(n for _, n in PARTS[name]) != form.block_bytes:
            raise ValueError(f"{name}: parts of {PARTS[name]}, want {form.block_bytes} bytes")
        for kind, n in PARTS[name]:
            axes.barh(row, n, left=at, height=0.62, color=kinds[kind], edgecolor="white",
                      linewidth=0.6)  # fmt: skip
            at += n
        bits = 8 * form.block_bytes / form.block_size
        said = f"{form.block_size} in {form.block_bytes} bytes: {bits:.2f} bits a weight"
        axes.text(at + 2, row, said, va="center", fontsize=8, color=SOFT)
    for kind, color in kinds.items():
        axes.barh(0, 0, color=color, label=kind)
    axes.legend(**LEGEND, loc="upper right", ncols=4, fontsize=8)
    axes.set(xlabel="bytes of a block", yticks=range(len(names)), yticklabels=names, xlim=(0, 330))
    axes.invert_yaxis()
    axes.set_xticks(range(0, 220, 32))
    return finish(
        figure,
        alt="Blocks of "
        + ", ".join(f"{n}: {FORMATS[n].block_bytes} bytes" for n in names)
        + "; scales come first or last, codes fill the rest.",
    )


def draw_view(shape: tuple[int, int], byte_strides: tuple[int, int], title: str) -> Drawing:
    """A small matrix as it is indexed, each cell with the byte that its element begins at.

    The colour changes with the line of memory.
    """
    rows, columns = shape
    figure, axes = blank(0.62 * columns + 0.6, 0.42 * rows + 0.7)
    for i in range(rows):
        for j in range(columns):
            offset = i * byte_strides[0] + j * byte_strides[1]
            left, low = j + 0.03, 0.7 * (rows - 1 - i) + 0.02
            color = GREEN if offset // LINE % 2 else BLUE
            axes.broken_barh([(left, 0.94)], (low, 0.66), facecolors=color)
            axes.text(left + 0.47, low + 0.33, str(offset), ha="center", va="center", fontsize=8,
                      color="white")  # fmt: skip
    axes.set(xlim=(0, columns), ylim=(0, 0.7 * rows), title=title)
    return finish(
        figure,
        alt=f"{title}: {rows} by {columns} cells with the byte offset in each; the next row is "
        f"{byte_strides[0]} bytes on, the next column {byte_strides[1]}.",
    )


def draw_timed(rows: Sequence[Timed], title: str, *, by: str = "gbs") -> Drawing:
    """Bars of nanoseconds an element ("ns") or of the gigabytes a second that are used ("gbs")."""
    figure, axes = chart(7, 0.34 * len(rows) + 1.0)
    values = [getattr(r, by) for r in rows]
    axes.barh(range(len(rows)), values, color=BLUE if by == "gbs" else AMBER, height=0.66)
    for i, value in enumerate(values):
        axes.text(value, i, f" {value:.3g}", va="center", fontsize=8, color=SOFT)
    axes.set_yticks(range(len(rows)), [r.name for r in rows])
    axes.invert_yaxis()
    axes.set(title=title, xlabel="GB/s" if by == "gbs" else "nanoseconds an element")
    axes.margins(x=0.12)
    seen = ", ".join(f"{r.name} {v:.3g}" for r, v in zip(rows, values, strict=True))
    return finish(figure, alt=f"{title}: {seen}.")
