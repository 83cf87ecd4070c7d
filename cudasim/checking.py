"""One launch under the sanitizer and the counters, and the modes "checked" and "profiled".

Owns: how a watched launch becomes a Report, and Unsafe. ``check`` itself is in kernels.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import cudasim.counters as counters
import cudasim.findings as findings
import cudasim.geometry as geometry
import cudasim.launching as launching
import cudasim.watching as watching
from cudasim.arrays import ndarray
from cudasim.errors import CUDADriverError
from cudasim.report import Report


class Unsafe(CUDADriverError):
    """A launch in mode "checked" did something wrong; ``report`` says what."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report), report.findings[0].line)
        self.report = report


def watched(
    kernel,
    grid,
    block,
    args: Sequence,
    shared_mem: int,
    *,
    sanitize: bool,
    profile: bool,
    lockstep: bool = False,
) -> Report:
    loaded = kernel.module.library(checked=True)
    params = kernel.params(loaded)
    row = loaded.copies[0].kernels[kernel.name]
    sizes = geometry.geometry(
        grid, block, shared_mem, kernel.max_dynamic_shared_size_bytes, row.max_threads
    )
    seen = watching.watch(
        kernel.name,
        loaded,
        sizes,
        params,
        args,
        checking=sanitize,
        profiling=profile,
        lockstep=lockstep,
    )
    return Report(
        name=kernel.name,
        code=kernel.code,
        geometry=sizes,
        findings=findings.findings(seen, sizes),
        counters=counters.counters(seen),
        regions=seen.regions,
        trace=seen.trace,
        profiled=profile,
    )


def launch_watched(kernel, grid, block, args: Sequence, shared_mem: int, mode: str) -> None:
    """A launch in mode "checked" or "profiled"; keeps the report, raises Unsafe for findings."""
    report = watched(
        kernel,
        grid,
        block,
        args,
        shared_mem,
        sanitize=mode == "checked",
        profile=mode == "profiled",
    )
    launching.settings().reports.append(report)
    if report.findings:
        raise Unsafe(report)
    for p, a in zip(kernel.params(kernel.module.library(checked=True)), args, strict=True):
        if isinstance(a, ndarray) and p.kind == "p" and mode == "profiled" and not p.is_const:
            a._changed()
