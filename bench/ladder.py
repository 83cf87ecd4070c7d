"""From naive to final in eight steps: one token times a Q8_0 matrix, each step checked and timed.

    python bench/ladder.py [--rows 98304] [--columns 2048] [--csv FILE] [--svg FILE]

Every step computes out = W x for the same 210 MB of weights, which come from memory, and is held
against the float64 product (the activations rounded as the step rounds them). Bytes of weights a
second, beside memory read with nothing else to do: that is what a token's time is made of. The
first step does a few rows and is counted up. One thread, pinned to a processor where the system
can, but for the last step. The lesson on memory shows the chart.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from clean import bandwidth, machine, timed

from minengine import integer, ops, oracle, repacking, strips
from minengine.formats import FORMATS

FORM = FORMATS["Q8_0"]
N_NAIVE = 32  # rows of the first step
# of the largest product: float32 sums of 2048 terms
ALLOWED = 1e-5
COLUMNS = ("step", "ms", "gb_per_s", "share", "times", "error", "clean", "samples")


@dataclass(frozen=True)
class Step:
    """A way to compute the product: ``call`` writes out; ``part`` of the rows is what it does."""

    name: str
    call: Callable[[], None]
    out: np.ndarray  # float32 (1, rows it does)
    rounds: bool  # are activations rounded to 8 bits?
    n_threads: int = 1


def number_by_number(raw: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """Each block: its scale, a half, then 32 signed bytes."""
    for r, row in enumerate(raw):
        total = 0.0
        for b in range(len(row) // 34):
            block = row[b * 34 : b * 34 + 34]
            scale = float(block[:2].view(np.float16)[0])
            for i, q in enumerate(block[2:].view(np.int8).tolist()):
                total += scale * q * float(x[b * 32 + i])
        out[0, r] = total


def dequantized(raw: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """NumPy: 256 rows as float32 at a time, then a product of floats."""
    for first in range(0, len(raw), 256):
        out[0, first : first + 256] = FORM.dequantize(raw[first : first + 256]) @ x


def steps(raw: np.ndarray, x: np.ndarray) -> list[Step]:
    """The ladder; every step has what the one before it has and one idea more."""
    n_rows, row = len(raw), x[None]
    new = lambda n=n_rows: np.full((1, n), np.nan, np.float32)  # noqa: E731
    found, few = [], raw[:N_NAIVE]
    best = strips.CHOSEN
    codes, a = integer.Activations(row), strips.rounded(row)
    plain = np.empty((strips.strip_rows(n_rows), raw.shape[1]), np.uint8)
    large = repacking.large_pages(plain.size).reshape(plain.shape)
    for laid in (plain, large):
        if best != "portable":
            strips.interleave(raw, FORM, laid)

    def add(name: str, out: np.ndarray, call: Callable[..., None], rounds: bool, n=1) -> None:
        found.append(Step(name, lambda: call(out), out, rounds, n))

    add("Python, number by number", new(len(few)), lambda o: number_by_number(few, x, o), False)
    add("NumPy: dequantize, then multiply", new(), lambda o: dequantized(raw, x, o), False)
    add("dequantize inside the sum", new(), lambda o: ops.matmul(row, raw, FORM, o), False)
    add("8-bit integers, readable", new(), lambda o: integer.matmul(codes, raw, FORM, o), True)
    if best == "portable":
        return found
    add(f"{best}, rows as in the file", new(), lambda o: strips.matmul(a, raw, FORM, o), True)
    side = {"interleaved": True}
    add("rows side by side", new(), lambda o: strips.matmul(a, plain, FORM, o, **side), True)
    add("pages of 2 MiB", new(), lambda o: strips.matmul(a, large, FORM, o, **side), True)
    if (os.cpu_count() or 1) > 1:
        two = side | {"n_threads": 2}
        add("two threads", new(), lambda o: strips.matmul(a, large, FORM, o, **two), True, 2)
    return found


def error(step: Step, weights: np.ndarray, x: np.ndarray) -> float:
    """The largest difference from the float64 product, as a share of the largest one."""
    used = oracle.rounded(x[None]) if step.rounds else x[None]
    want = oracle.matmul(used, weights)
    got = step.out[:, : len(weights)]
    return float(np.max(np.abs(got - want)) / np.max(np.abs(want)))


def measure(raw: np.ndarray, x: np.ndarray) -> list[dict]:
    """A row of the table for each step. Exits with a message where one is wrong."""
    found, weights = [], FORM.dequantize(raw[:N_NAIVE])
    memory = repacking.large_pages(raw.size)
    memory[:] = 1
    for step in steps(raw, x):
        all_processors = step.n_threads > 1
        pin(None if all_processors else 1)
        before = bandwidth(memory)
        slow = step.out.shape[1] < len(raw)
        t = timed(step.call, samples=3 if slow else 7, n_threads=step.n_threads)
        top = (before + bandwidth(memory)) / 2 or float("nan")
        wrong = error(step, weights, x)
        if not wrong <= ALLOWED:
            raise SystemExit(f"{step.name}: error {wrong:.1e}, allowed {ALLOWED:.1e}")
        seconds = t.seconds * len(raw) / step.out.shape[1]
        speed = raw.size / seconds
        first = found[0]["ms"] if found else seconds * 1e3
        numbers = (
            step.name, seconds * 1e3, speed / 1e9, speed / top, first / (seconds * 1e3), wrong,
            t.clean, t.samples,
        )  # fmt: skip
        found.append(dict(zip(COLUMNS, numbers, strict=True)))
        print(
            f"{step.name:34} {seconds * 1e3:11.1f} ms {speed / 1e9:8.3f} GB/s {speed / top:7.1%} "
            f"{first / (seconds * 1e3):9.0f} x   error {wrong:.0e}  ({t.clean}/{t.samples} clean)",
            flush=True,
        )
    return found


def pin(processor: int | None) -> None:
    """Keep this thread on one processor; None gives all of them back."""
    if hasattr(os, "sched_setaffinity"):
        there = range(os.cpu_count() or 1)
        os.sched_setaffinity(0, set(there) if processor is None else {processor % len(there)})


def draw(found: list[dict], path: Path) -> None:
    """Bytes a second of each step, on a logarithmic scale, and the memory's own."""
    from course.charts import BLUE, INK, RED, chart, finish

    figure, axes = chart(7, 0.45 * len(found) + 1)
    speeds = [r["gb_per_s"] for r in found]
    names = [f"{r['step']}: {r['gb_per_s']:.3g}" for r in found]
    axes.barh(names, speeds, color=BLUE, height=0.6)
    axes.set_xscale("log")
    axes.invert_yaxis()
    top = found[-2]["gb_per_s"] / found[-2]["share"]
    axes.axvline(top, color=RED, linestyle="--", label=f"memory, one thread: {top:.0f} GB/s")
    axes.set_xlim(min(speeds) / 2, max(*speeds, top) * 2)
    axes.set_xlabel("GB of weights a second")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), labelcolor=INK)
    said = "; ".join(f"{r['step']} {r['gb_per_s']:.3g} GB/s" for r in found)
    finish(figure, alt=f"Bars, each step of the ladder: {said}.").save(path)


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--rows", type=int, default=98304)
    flags.add_argument("--columns", type=int, default=2048)
    flags.add_argument("--csv", type=Path)
    flags.add_argument("--svg", type=Path)
    args = flags.parse_args()
    rng = np.random.default_rng(0)
    some = FORM.quantize(rng.standard_normal((64, args.columns)))
    raw = np.tile(some, (args.rows // 64 + 1, 1))[: args.rows]
    x = rng.standard_normal(args.columns).astype(np.float32)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    found = measure(raw, x)
    if args.csv:
        with args.csv.open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, [*COLUMNS, *machine()])
            writer.writeheader()
            writer.writerows(r | machine() for r in found)
    if args.svg:
        draw(found, args.svg)


if __name__ == "__main__":
    main()
