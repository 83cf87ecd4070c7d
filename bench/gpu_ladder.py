"""The ladder of kernels by a GPU's clock, beside the simulator's counts.

Owns: the sizes at which a step is timed, its row, what the counts foretold. Must not know: which
step is better. Counts are those of the ladder's own table (small sizes: the simulator plays each
access); times are taken there and on arrays that no cache holds.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from gpu_kernels import ROOT, Row, launched

sys.path.insert(0, str(ROOT / "course" / "examples" / "cuda"))

import ladder
from operations import OPERATIONS, Operation, Rung, Sizes

from course.experiments.kernels import arguments
from cudasim import device

# Arrays of some hundred MB, beyond any GPU's second cache; attention computes, so it gets fewer.
# The product has as many weights twice: columns are threads there, and few leave a GPU idle.
LARGE = {
    "gate": ((1 << 25,),),
    "transpose": ((16384, 4096),),
    "argmax": ((1024, 65536),),
    "norm": ((32768, 1024),),
    "product": ((4096, 16384), (512, 131072)),
    "attention": ((512, 4096, 16, 4, 64),),
}
OFF = 1e-5  # of the largest number: float32 sums of some thousand terms


@dataclass(frozen=True)
class Climbed:
    """A step: counts at the small sizes, milliseconds there and at the large ones.

    ``falls``: the counts that it is for, each as many times fewer as on the step before.
    """

    operation: str
    step: str
    small: str
    large: str
    falls: str
    of_the_least: float
    launches: int
    moved_bytes: int
    requests: int
    shared_requests: int
    bank_conflicts: int
    barriers: int
    idle: int
    possible: int
    small_ms: float
    large_ms: float
    large_gb_per_s: float  # of the least bytes that have to cross the bus


COUNTED = ("launches", "moved_bytes", "requests", "shared_requests", "bank_conflicts", "barriers",
           "idle", "possible")  # fmt: skip


def climbed(number: int) -> list[Row | Climbed]:
    """All steps of an operation: right at all sizes, and timed."""
    operation = OPERATIONS[number]
    for sizes in operation.awkward:
        ladder.climb(operation, sizes, seed=3)  # raises where one is wrong, here or there
    found = ladder.climb(operation)
    rows: list[Row | Climbed] = []
    for sizes in LARGE[operation.name]:
        rows += at_large(operation, found, sizes)
    return rows


def at_large(operation: Operation, found: Sequence[ladder.Step], sizes: Sizes) -> list:
    """The rows of the steps at one of the large sizes."""
    arrays = operation.inputs(np.random.default_rng(5), *sizes)
    want, least = operation.want(arrays), operation.least_bytes(arrays)
    rows: list[Row | Climbed] = []
    for before, step in zip([None, *found], found, strict=False):
        if step.gpu_ms is None:
            raise RuntimeError("no GPU")
        off, ms = launch(step.rung, sizes, arrays, want)
        also = f"also at {operation.shown} and {', '.join(map(str, operation.awkward))}"
        said = "right" if off <= OFF else f"off {off:.2g}"
        name = f"{operation.name} {step.rung.file} {sizes}"
        rows.append(Row("ladder", name, "right", said, also))
        counts = {n: ladder.count(step, n) for n in COUNTED}
        falls = ", ".join(f"{n} {fewer(before, step, n)}" for n in step.rung.falls)
        rows.append(
            Climbed(
                operation.name, step.rung.file, str(operation.shown), str(sizes), falls,
                round(step.factor, 3), *counts.values(), round(step.gpu_ms, 5), round(ms, 5),
                round(1e-6 * least / ms, 1),
            )
        )  # fmt: skip
    return rows


def fewer(before: ladder.Step, after: ladder.Step, name: str) -> str:
    """By how much a count fell."""
    left = ladder.count(after, name)
    return f"/ {ladder.count(before, name) / left:.3g}" if left else "to 0"


def launch(rung: Rung, sizes: Sizes, arrays: dict, want: dict) -> tuple[float, float]:
    """(the largest difference as a share of the largest number, milliseconds)."""
    cupy = device.library()
    source, launches = ladder.source(rung), rung.launches(*sizes)
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
