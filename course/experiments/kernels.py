"""Lab 2.6 and the ladder of kernels: what a launch costs, counted and drawn.

    one = kernels.Launch("scale", 4, 256, ("x", "out", np.int32(1000)))
    counts = kernels.counted(source, [one], {"x": x, "out": out})

Owns: Launch, Counts, the experiments on strides, the inputs that the lab's kernels are measured on,
the charts. Must not know: what a student wrote, which kernel is better. Counts are the same on
every machine: they are made by cudasim, also where there is a GPU. Read before:
cudasim/counters.py (what is counted).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

import cudasim
from course.charts import AMBER, BLUE, COLOURS, LEGEND, SOFT, Drawing, chart, finish
from cudasim import device, geometry


@dataclass(frozen=True)
class Launch:
    """One launch of a kernel of a source: names of arrays and NumPy scalars as its arguments."""

    name: str
    grid: int | tuple[int, ...]
    block: int | tuple[int, ...]
    arguments: tuple[str | np.generic, ...]
    shared_bytes: int = 0


@dataclass(frozen=True)
class Counts:
    """What one or several launches cost together.

    ``moved_bytes``: of global memory, in sectors of 32 bytes, caches left out. ``requests``: of
    whole warps to global memory, ``sectors`` moved for them. ``bank_conflicts``: wavefronts of
    shared memory beyond one a request. ``lanes`` of ``possible`` ran something.
    """

    launches: int
    moved_bytes: int
    requests: int
    sectors: int
    shared_requests: int
    bank_conflicts: int
    barriers: int
    warp_operations: int
    lanes: int
    possible: int

    @property
    def active(self) -> float:
        """The part of the lanes that did something."""
        return self.lanes / self.possible if self.possible else 1.0

    @property
    def sectors_a_request(self) -> float:
        return self.sectors / self.requests if self.requests else 0.0

    def __add__(self, other: Counts) -> Counts:
        both = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Counts(*(a + b for a, b in both))


def counts(report: cudasim.Report) -> Counts:
    """The counts of a watched launch."""
    c = report.counters
    outside = [a for a in c.accesses if a.space == "global"]
    shared = [a for a in c.accesses if a.space == "shared"]
    return Counts(
        launches=1,
        moved_bytes=c.moved_bytes,
        requests=sum(a.requests for a in outside),
        sectors=sum(a.sectors for a in outside),
        shared_requests=sum(a.requests for a in shared),
        bank_conflicts=c.bank_conflicts,
        barriers=c.n_barriers,
        warp_operations=c.n_warp_operations,
        lanes=sum(s.lanes for s in c.steps),
        possible=sum(s.possible for s in c.steps),
    )


def arguments(launch: Launch, arrays: Mapping[str, Any]) -> tuple[Any, ...]:
    """The launch's arguments, names replaced by arrays."""
    return tuple(arrays[a] if isinstance(a, str) else a for a in launch.arguments)


def watched(
    source: str, launches: Sequence[Launch], arrays: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], list[cudasim.Report]]:
    """Run launches one after the other on copies of the arrays -> (arrays after, a report each)."""
    held = {name: cudasim.asarray(a) for name, a in arrays.items()}
    module, reports = cudasim.RawModule(code=source), []
    for one in launches:
        kernel = module.get_function(one.name)
        kernel.max_dynamic_shared_size_bytes = max(one.shared_bytes, geometry.STATIC_SHARED_BYTES)
        args = arguments(one, held)
        reports.append(
            cudasim.check(kernel, one.grid, one.block, args, shared_mem=one.shared_bytes)
        )
    return {name: cudasim.asnumpy(a) for name, a in held.items()}, reports


def total(reports: Sequence[cudasim.Report]) -> Counts:
    """The counts of launches together. ValueError where the sanitizer found something."""
    for report in reports:
        if report.findings:
            raise ValueError(f"{report.name}: {report.findings[0].message}")
    made = [counts(r) for r in reports]
    return sum(made[1:], made[0])


def counted(source: str, launches: Sequence[Launch], arrays: Mapping[str, np.ndarray]) -> Counts:
    """The counts of launches on these arrays, as ``total``."""
    return total(watched(source, launches, arrays)[1])


# Strides ------------------------------------------------------------------------------------------

STRIDED = r"""
extern "C" __global__ void strided(const float* x, float* out, int stride) {
    out[threadIdx.x] = x[threadIdx.x * stride];
}

extern "C" __global__ void banked(float* out, int stride) {
    extern __shared__ float s[];
    for (int i = threadIdx.x; i < 31 * stride + 1; i += 32)
        s[i] = i;
    __syncthreads();
    out[threadIdx.x] = s[threadIdx.x * stride];
}
"""


def sectors(strides: Sequence[int]) -> dict[int, int]:
    """Stride -> sectors that one warp's request moves, thread t reading float number t * stride."""
    found = {}
    for stride in strides:
        arrays = {"x": np.zeros(31 * stride + 1, np.float32), "out": np.zeros(32, np.float32)}
        launch = Launch("strided", 1, 32, ("x", "out", np.int32(stride)))
        _, (report,) = watched(STRIDED, [launch], arrays)
        found[stride] = sum(a.sectors for a in report.counters.accesses if a.access == "read")
    return found


def ways(strides: Sequence[int]) -> dict[int, int]:
    """Stride -> wavefronts of one warp's request to shared memory, thread t at t * stride."""
    found = {}
    for stride in strides:
        n_bytes = 4 * (31 * stride + 1)
        launch = Launch("banked", 1, 32, ("out", np.int32(stride)), n_bytes)
        _, (report,) = watched(STRIDED, [launch], {"out": np.zeros(32, np.float32)})
        shared = [a for a in report.counters.accesses if a.space == "shared"]
        found[stride] = sum(a.wavefronts for a in shared if a.access == "read")
    return found


# The lab's kernels --------------------------------------------------------------------------------

Plan = Callable[..., tuple[str, Any, Any, int]]  # sizes -> source, grid, block, shared bytes
HEADS, WIDTH = 2, 32  # of ``rotate`` where it is measured
ROWS = 2  # of ``cumulate``


@dataclass(frozen=True)
class Measured:
    """A kernel on inputs of a length: the sizes its plan is asked for, its arguments in order."""

    sizes: tuple[int, ...]
    arguments: tuple[np.ndarray | np.generic, ...]
    output: int

    @property
    def least_bytes(self) -> int:
        """Each input read once, the output written once."""
        return sum(a.nbytes for a in self.arguments if isinstance(a, np.ndarray))


def penalize(rng: np.random.Generator, length: int) -> Measured:
    logits = rng.standard_normal(length).astype(np.float32)
    history = rng.integers(0, length, length).astype(np.int32)
    args = logits, history, empty(length), np.int32(length), np.int32(length), np.float32(0.5)
    return Measured((length, length), args, 2)


def rotate(rng: np.random.Generator, length: int) -> Measured:
    x = rng.standard_normal((length, HEADS, WIDTH)).astype(np.float32)
    positions = np.arange(length, dtype=np.int32)
    sizes = length, HEADS, WIDTH
    args = x, positions, empty(*x.shape), *(np.int32(n) for n in sizes), np.float32(10000)
    return Measured(sizes, args, 2)


def round_q8(rng: np.random.Generator, length: int) -> Measured:
    x = rng.standard_normal(length).astype(np.float32)
    return Measured((length,), (x, empty(length), np.int32(length)), 1)


def cumulate(rng: np.random.Generator, length: int) -> Measured:
    p = rng.random((ROWS, length)).astype(np.float32)
    args = p, empty(ROWS, length), np.int32(ROWS), np.int32(length)
    return Measured((ROWS, length), args, 1)


def empty(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, np.float32)


TASKS = {f.__name__: f for f in (penalize, rotate, round_q8, cumulate)}


def measured(name: str, length: int, seed: int) -> Measured:
    """The inputs on which a kernel of the lab is measured."""
    return TASKS[name](np.random.default_rng([seed, length]), length)


def launched(plan: Plan, name: str, one: Measured) -> cudasim.Report:
    """One watched launch of a kernel as its plan says."""
    source, grid, block, shared = plan(*one.sizes)
    args = [cudasim.asarray(a) if isinstance(a, np.ndarray) else a for a in one.arguments]
    kernel = cudasim.RawKernel(source, name)
    kernel.max_dynamic_shared_size_bytes = max(shared, geometry.STATIC_SHARED_BYTES)
    return cudasim.check(kernel, grid, block, args, shared_mem=shared)


@dataclass(frozen=True)
class Cost:
    """What a kernel cost on inputs of a length."""

    length: int
    moved_bytes: int
    least_bytes: int
    barriers: int
    bank_conflicts: int

    @property
    def factor(self) -> float:
        return self.moved_bytes / self.least_bytes

    def noted(self) -> list[int]:
        return [self.moved_bytes, self.barriers, self.bank_conflicts]


def cost(plan: Plan, name: str, lengths: Sequence[int], seed: int) -> list[Cost]:
    """A kernel on inputs of several lengths."""
    rows = []
    for length in lengths:
        one = measured(name, length, seed)
        c = counts(launched(plan, name, one))
        rows.append(Cost(length, c.moved_bytes, one.least_bytes, c.barriers, c.bank_conflicts))
    return rows


def timed(plan: Plan, name: str, length: int) -> device.Timing:
    """A kernel by the clock: on a GPU where there is one; in the simulator that says nothing."""
    cupy, one = device.library(), measured(name, length, 0)
    source, grid, block, shared = plan(*one.sizes)
    args = [cupy.asarray(a) if isinstance(a, np.ndarray) else a for a in one.arguments]
    kernel = cupy.RawKernel(source, name)
    return device.time_launch(kernel, grid, block, args, shared_mem=shared, repeat=5)


# Drawings -----------------------------------------------------------------------------------------


def draw_predicted(predicted: Mapping[int, int], found: Mapping[int, int], title: str) -> Drawing:
    """Two bars for each stride: what was predicted and what was counted."""
    figure, axes = chart(7, 2.6)
    at, strides = np.arange(len(found)), list(found)
    for shift, values, colour, name in (
        (-0.2, [predicted[s] for s in strides], BLUE, "predicted"),
        (0.2, [found[s] for s in strides], AMBER, "counted"),
    ):
        axes.bar(at + shift, values, 0.38, color=colour, label=name)
        for x, v in zip(at, values, strict=True):
            axes.text(x + shift, v, str(v), ha="center", va="bottom", fontsize=8, color=SOFT)
    axes.set(title=title, xlabel="stride, in floats", ylim=(0, 1.3 * max([1, *found.values()])))
    axes.set_xticks(at, [str(s) for s in strides])
    axes.legend(**LEGEND, ncols=2, loc="upper left")
    seen = ", ".join(f"stride {s}: {predicted[s]} and {found[s]}" for s in strides)
    return finish(figure, alt=f"{title}, predicted and counted: {seen}.")


def draw_costs(costs: Mapping[str, Sequence[Cost]]) -> Drawing:
    """Bytes moved against the least, and barriers, over the length, a line for each kernel."""
    figure, (left, right) = chart(7.2, 3, columns=2)
    for colour, (name, rows) in zip(COLOURS, costs.items(), strict=False):
        lengths = [r.length for r in rows]
        left.plot(lengths, [r.factor for r in rows], "o-", color=colour, label=name, markersize=4)
        right.plot(lengths, [r.barriers for r in rows], "o-", color=colour, markersize=4)
    left.axhline(1, color=SOFT, linewidth=0.8, linestyle="--")
    left.set(title="bytes moved, of the least", xlabel="length", ylim=(0, None))
    right.set(title="barriers", xlabel="length")
    left.legend(**LEGEND, fontsize=8)
    seen = "; ".join(
        f"{name}: " + ", ".join(f"{r.factor:.2f} at {r.length}" for r in rows)
        for name, rows in costs.items()
    )
    return finish(figure, alt=f"Bytes moved as multiples of the least, by length. {seen}.")
