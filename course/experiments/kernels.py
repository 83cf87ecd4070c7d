"""Kernels: what a launch costs, counted, and how costs are drawn beside each other.

    one = kernels.Launch("scale", 4, 256, ("x", "out", np.int32(1000)))
    counts = kernels.counted(source, [one], {"x": x, "out": out})

Owns: Launch, Counts, their charts, the two experiments of lab 2.6 on strides. Must not know: what a
student wrote, which kernel is better. Counts are the same on every machine: they are made by
cudasim, also where there is a GPU. Read before: cudasim/counters.py (what is counted).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

import cudasim
from cudasim import geometry


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
