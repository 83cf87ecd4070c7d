"""The ladder of kernels by a GPU's clock, beside the simulator's counts.

Owns: the sizes at which a step is timed, its row, what the counts foretold. Must not know: which
step is better. Counts are those of the ladder's own table (small sizes: the simulator plays each
access); times are taken there and on arrays that no cache holds.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from gpu_kernels import ROOT, Row, launched

sys.path.insert(0, str(ROOT / "course" / "examples" / "cuda"))

import ladder
from operations import OPERATIONS, Operation, Rung

from course.experiments.kernels import arguments
from cudasim import device

# Arrays of some hundred MB, beyond any GPU's second cache; attention computes, so it gets fewer.
LARGE = {
    "gate": (1 << 25,),
    "transpose": (16384, 4096),
    "argmax": (1024, 65536),
    "norm": (8192, 4096),
    "product": (4096, 16384),
    "attention": (512, 4096, 16, 4, 64),
}
OFF = 1e-5  # of the largest number: float32 sums of some thousand terms


@dataclass(frozen=True)
class Climbed:
    """A step: counts at the small sizes, milliseconds there and at the large ones."""

    operation: str
    step: str
    falls: str
    launches: int
    moved_bytes: int
    of_the_least: float
    requests: int
    bank_conflicts: int
    barriers: int
    idle: int
    possible: int  # lanes that could work
    small_ms: float
    large_ms: float
    large_gb_per_s: float  # of the least bytes that have to cross the bus


def climbed(number: int) -> list[Row | Climbed]:
    """All steps of an operation: right at both sizes, and timed."""
    operation = OPERATIONS[number]
    rows: list[Row | Climbed] = []
    for sizes in operation.awkward:
        ladder.climb(operation, sizes, seed=3)  # raises where one is wrong, here or there
    found = ladder.climb(operation)
    sizes = LARGE[operation.name]
    arrays = operation.inputs(np.random.default_rng(5), *sizes)
    want = operation.want(arrays)
    least = operation.least_bytes(arrays)
    for step in found:
        if step.gpu_ms is None:
            raise RuntimeError("no GPU")
        off, ms = at_large(operation, step.rung, arrays, want)
        name = f"{operation.name} {step.rung.file}"
        sizes_said = f"also at {operation.shown} and {', '.join(map(str, operation.awkward))}"
        rows.append(Row("ladder", f"{name} {sizes}", "right",
                        "right" if off <= OFF else f"off {off:.2g}", sizes_said))  # fmt: skip
        c = step.counts
        rows.append(
            Climbed(
                operation.name, step.rung.file, " ".join(step.rung.falls), c.launches,
                c.moved_bytes, round(step.factor, 3), c.requests, c.bank_conflicts, c.barriers,
                c.possible - c.lanes, c.possible, step.gpu_ms, ms, 1e-6 * least / ms,
            )
        )  # fmt: skip
    return rows


def at_large(operation: Operation, rung: Rung, arrays: dict, want: dict) -> tuple[float, float]:
    """(the largest difference as a share of the largest number, milliseconds)."""
    cupy = device.library()
    source, launches = ladder.source(rung), rung.launches(*LARGE[operation.name])
    held = {name: cupy.asarray(a) for name, a in arrays.items()}
    for one in launches:
        args = arguments(one, held)
        launched(source, one.name, one.grid, one.block, args, one.shared_bytes)
    off = 0.0
    for name, right in want.items():
        gap = np.abs(held[name].get() - right).max() / np.abs(right).max()
        off = max(off, float(gap) if np.isfinite(gap) else np.inf)
    module, ms = cupy.RawModule(code=source), 0.0
    for one in launches:
        kernel, args = module.get_function(one.name), arguments(one, held)
        timing = device.time_launch(
            kernel, one.grid, one.block, args, shared_mem=one.shared_bytes, repeat=20
        )
        ms += timing.median_ms
    return off, ms


def foretold(rows: Sequence[Climbed]) -> list[str]:
    """Of each step after another: by how much the counts fell that it is for, and the times."""
    said = []
    for before, after in pairwise(rows):
        if before.operation != after.operation:
            continue
        falls = [f"{n} {getattr(before, n) / max(1, getattr(after, n)):.2g}"
                 for n in after.falls.split()]  # fmt: skip
        said.append(
            f"{after.step}: {', '.join(falls)} times fewer; large arrays "
            f"{before.large_ms / after.large_ms:.2f} times as fast, "
            f"small ones {before.small_ms / after.small_ms:.2f}"
        )
    return said
