"""From naive to final in eight steps: one token times a Q8_0 matrix, each step checked and timed.

    python bench/ladder.py [--rows 98304] [--columns 2048] [--csv FILE] [--svg FILE]

The steps are those of `course/experiments/ladder.py`, which the lesson on memory climbs on a
smaller matrix. Here all of them compute out = W x for the same 210 MB of weights, which come from
memory; samples that another program disturbed are left out. Bytes of weights a second, beside
memory read with nothing else to do: that is what a token's time is made of. One thread, pinned to a
processor where the system can, but for the last step.
"""

from __future__ import annotations

import argparse
import csv
import os
from pathlib import Path

import numpy as np
from clean import Timing, bandwidth, machine, timed

from course.experiments import ladder
from course.experiments.ladder import Step
from minengine import repacking

COLUMNS = ("step", "ms", "gb_per_s", "share", "times", "error", "clean", "samples")


def measure(raw: np.ndarray, x: np.ndarray) -> tuple[list[ladder.Rung], list[dict]]:
    """The rungs, and a row of the table for each. Raises ValueError where one is wrong."""
    memory = repacking.large_pages(raw.size)
    memory[:] = 1
    seen: list[tuple[Timing, float]] = []

    def seconds(step: Step) -> float:
        pin(None if step.n_threads > 1 else 1)
        before = bandwidth(memory)
        slow = step.out.shape[1] < len(raw)
        t = timed(step.call, samples=3 if slow else 7, n_threads=step.n_threads)
        seen.append((t, (before + bandwidth(memory)) / 2e9))
        return t.seconds

    rungs = ladder.climb(raw, x, seconds)
    rows = []
    for rung, (t, top) in zip(rungs, seen, strict=True):
        numbers = (
            rung.name, rung.ms, rung.gbs, rung.gbs / top, rungs[0].ms / rung.ms, rung.error,
            t.clean, t.samples,
        )  # fmt: skip
        rows.append(dict(zip(COLUMNS, numbers, strict=True)))
    return rungs, rows


def pin(processor: int | None) -> None:
    """Keep this thread on one processor; None gives all of them back."""
    if hasattr(os, "sched_setaffinity"):
        there = range(os.cpu_count() or 1)
        os.sched_setaffinity(0, set(there) if processor is None else {processor % len(there)})


def main() -> None:
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument("--rows", type=int, default=98304)
    flags.add_argument("--columns", type=int, default=2048)
    flags.add_argument("--csv", type=Path)
    flags.add_argument("--svg", type=Path)
    args = flags.parse_args()
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    rungs, rows = measure(*ladder.product(args.rows, args.columns))
    for r in rows:
        print(
            f"{r['step']:34} {r['ms']:11.1f} ms {r['gb_per_s']:8.3f} GB/s {r['share']:7.1%} "
            f"{r['times']:9.0f} x   error {r['error']:.0e}  ({r['clean']}/{r['samples']} clean)"
        )
    if args.csv:
        with args.csv.open("w", newline="", encoding="utf-8") as f:
            writer = csv.DictWriter(f, [*COLUMNS, *machine()])
            writer.writeheader()
            writer.writerows(r | machine() for r in rows)
    if args.svg:
        ladder.draw(rungs, rungs[-1].gbs / rows[-1]["share"]).save(args.svg)


if __name__ == "__main__":
    main()
