"""Kernels from an addition to FlashAttention, each step beside the one before it.

    python ladder.py                      every operation, its steps and what they cost
    python ladder.py transpose attention  these
    python ladder.py --chart ladder.svg   and a drawing of it

Each step is a file of this folder, launched as operations.py says, held against what is right, and
counted by cudasim. On a machine with a GPU (CuPy sees it) the same sources run there too and are
timed; the counts are the same everywhere. Owns: running, the table, the drawing.
Read before: operations.py, then the .cu files in the order of the table.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from operations import OPERATIONS, Operation, Rung

from course.charts import AMBER, BLUE, SOFT, Drawing, chart, finish
from course.experiments.kernels import Counts, arguments, total, watched
from course.lab import table
from cudasim import device

HERE = Path(__file__).resolve().parent
# float32 sums of some hundred terms of size one, in another order, and the GPU's exp
TOLERANCE = {"rtol": 1e-4, "atol": 1e-4}
HEADINGS = ("step", "launches", "bytes moved", "of the least", "requests", "sectors each",
            "bank conflicts", "barriers", "idle lanes")  # fmt: skip
WORDS = {
    "launches": "launches",
    "moved_bytes": "bytes moved",
    "requests": "requests to global memory",
    "shared_requests": "requests to shared memory",
    "bank_conflicts": "wavefronts lost to bank conflicts",
    "barriers": "barriers",
    "idle": "idle lanes, over all steps",
    "possible": "lanes that could work, over all steps",
}
# what the right half of the drawing shows of an operation
SECOND = {
    "gate": "requests",
    "transpose": "bank_conflicts",
    "argmax": "barriers",
    "norm": "launches",
    "product": "requests",
    "attention": "requests",
}


@dataclass(frozen=True)
class Step:
    """A rung that ran: what it cost, how often the least bytes it moved, milliseconds on a GPU."""

    rung: Rung
    counts: Counts
    factor: float
    gpu_ms: float | None


def source(rung: Rung) -> str:
    return (HERE / rung.file).read_text(encoding="utf-8")


def climb(operation: Operation, sizes: Sequence[int] = (), seed: int = 0) -> list[Step]:
    """Run all steps of an operation on the same numbers.

    AssertionError where a result is wrong, ValueError where the sanitizer finds something.
    """
    sizes = sizes or operation.shown
    arrays = operation.inputs(np.random.default_rng(seed), *sizes)
    want, steps = operation.want(arrays), []
    for rung in operation.rungs:
        text, launches = source(rung), rung.launches(*sizes)
        after, reports = watched(text, launches, arrays)
        hold(rung, after, want)
        counts = total(reports)
        factor = counts.moved_bytes / operation.least_bytes(arrays)
        steps.append(Step(rung, counts, factor, on_gpu(rung, launches, arrays, want)))
    return steps


def hold(rung: Rung, after: dict, want: dict) -> None:
    """Require the right numbers in every output."""
    for name, right in want.items():
        np.testing.assert_allclose(after[name], right, err_msg=f"{rung.file}, {name}", **TOLERANCE)


def on_gpu(rung: Rung, launches: list, arrays: dict, want: dict) -> float | None:
    """Milliseconds of the launches on a GPU, results held against what is right; None without."""
    cupy = device.gpu()
    if cupy is None or device.library() is not cupy:
        return None
    held = {name: cupy.asarray(a) for name, a in arrays.items()}
    module = cupy.RawModule(code=source(rung))
    kernels = [module.get_function(one.name) for one in launches]
    each = []
    for kernel, one in zip(kernels, launches, strict=True):
        timing = device.time_launch(
            kernel, one.grid, one.block, arguments(one, held), shared_mem=one.shared_bytes,
            repeat=20,
        )  # fmt: skip
        each.append(timing.median_ms)
    # again from the start: the timed launches of "normalise" worked on their own results
    held |= {name: cupy.asarray(a) for name, a in arrays.items()}
    for kernel, one in zip(kernels, launches, strict=True):
        grid, block = (s if isinstance(s, tuple) else (s,) for s in (one.grid, one.block))
        kernel(grid, block, arguments(one, held), shared_mem=one.shared_bytes)
    hold(rung, {name: cupy.asnumpy(a) for name, a in held.items()}, want)
    return sum(each)


@dataclass(frozen=True)
class Recorded:
    """A step as bench/gpu.py timed it on a GPU; ``faster`` than the one before, None of a first."""

    step: str
    sizes: str
    us: float
    faster: float | None
    gpu: str


def recorded() -> list[Recorded]:
    """The times that are kept, in the order of the steps, of large arrays."""
    with (HERE / "gpu_ladder.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    found: list[Recorded] = []
    for before, r in zip([None, *rows], rows, strict=False):
        follows = before and all(before[k] == r[k] for k in ("operation", "large"))
        ms = float(r["large_ms"])
        faster = float(before["large_ms"]) / ms if follows else None
        step, sizes = r["step"].removesuffix(".cu"), r["large"].strip("(,)")
        found.append(Recorded(step, sizes, 1e3 * ms, faster, r["gpu"]))
    return found


def count(step: Step, name: str) -> int:
    """A count by its name."""
    c = step.counts
    return c.possible - c.lanes if name == "idle" else getattr(c, name)


def rows(steps: list[Step]) -> list[tuple]:
    """The table's rows; a last column of milliseconds where a GPU ran."""
    made = []
    for s in steps:
        c = s.counts
        row = (s.rung.file, c.launches, c.moved_bytes, s.factor, c.requests, c.sectors_a_request,
               c.bank_conflicts, c.barriers, f"{1 - c.active:.0%}")  # fmt: skip
        made.append(row if s.gpu_ms is None else (*row, s.gpu_ms))
    return made


def said(steps: list[Step]) -> list[str]:
    """What each step improves on the one before it, in numbers."""
    lines = []
    for before, after in pairwise(steps):
        for name in after.rung.falls:
            old, new = count(before, name), count(after, name)
            lines.append(f"{after.rung.file}: {WORDS[name]} {old:,} -> {new:,}")
    return lines


def draw(climbed: dict[str, list[Step]]) -> Drawing:
    """Bars of each step: bytes moved against the least, and the count that SECOND names."""
    n = len(climbed)
    figure, axes = chart(7.2, 1.15 * n + 0.4, rows=n, columns=2, squeeze=False,
                         width_ratios=(1, 1))  # fmt: skip
    seen = []
    for (name, steps), (left, right) in zip(climbed.items(), axes, strict=True):
        second = SECOND[name]
        labels = [s.rung.file.removesuffix(".cu") for s in steps]
        for panel, values, colour, title in (
            (left, [s.factor for s in steps], BLUE, "bytes moved, of the least"),
            (right, [count(s, second) for s in steps], AMBER, WORDS[second]),
        ):
            panel.barh(range(len(steps)), values, color=colour, height=0.62)
            for i, v in enumerate(values):
                text = f" {v:.1f}" if panel is left else f" {v:,}"
                panel.text(v, i, text, va="center", fontsize=8, color=SOFT)
            panel.set_title(title, fontsize=8.5, loc="left")
            panel.set_xticks([])
            panel.set_xlim(0, 1.18 * max(*values, 1))
            panel.set_ylim(len(steps) - 0.5, -0.5)
            panel.set_yticks(range(len(steps)), labels if panel is left else [], fontsize=8)
        left.axvline(1, color=SOFT, linewidth=0.8, linestyle="--")
        factors = ", ".join(
            f"{label} {s.factor:.1f}" for label, s in zip(labels, steps, strict=True)
        )
        seen.append(f"{name}: {factors}")
    return finish(figure, alt=f"Bytes moved, as multiples of the least. {'; '.join(seen)}.")


def main(argv: Sequence[str] | None = None) -> None:
    names = [o.name for o in OPERATIONS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("operation", nargs="*", help=f"of {', '.join(names)}; all without")
    parser.add_argument("--chart", metavar="FILE", help="write a drawing (SVG)")
    asked = parser.parse_args(argv)
    unknown = set(asked.operation) - set(names)
    if unknown:
        parser.error(f"no operation {', '.join(sorted(unknown))}: want {', '.join(names)}")
    climbed = {}
    for operation in OPERATIONS:
        if asked.operation and operation.name not in asked.operation:
            continue
        steps = climbed[operation.name] = climb(operation)
        gpu = ("ms on the GPU",) if steps[0].gpu_ms is not None else ()
        print(f"\n{operation.name}: {operation.title}, sizes {operation.shown}\n")
        print(table(rows(steps), (*HEADINGS, *gpu)))
        print("\n" + "\n".join(said(steps)))
    if asked.chart:
        print(f"\n{draw(climbed).save(asked.chart)}")


if __name__ == "__main__":
    main()
