"""``check``: one launch under the sanitizer and the counters.

Owns: check, and what a kernel's call does in the modes "checked" and "profiled". A kernel and
arrays of CuPy are taken as well: the launch is then simulated on copies, and the GPU's arrays stay
as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from cudasim import counters, findings, geometry, launching, watching
from cudasim.arrays import asarray, ndarray
from cudasim.errors import CUDADriverError
from cudasim.report import Report


class Unsafe(CUDADriverError):
    """A launch in mode "checked" did something wrong; ``report`` says what."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report), report.findings[0].line)
        self.report = report


def check(
    kernel, grid, block, args: Sequence, *, shared_mem: int = 0,
    sanitize: bool = True, profile: bool = True,
) -> Report:  # fmt: skip
    """Launches once, watched, and returns what was seen; findings do not raise.

    ``kernel``: a RawKernel of cudasim or CuPy. Otherwise as a kernel's own call. Raises
    CompileException, LaunchError, and TimeLimit; a failed assert is a finding of kind "fault".
    """
    from cudasim.kernels import RawKernel

    if not isinstance(kernel, RawKernel):
        limit = getattr(kernel, "max_dynamic_shared_size_bytes", geometry.STATIC_SHARED_BYTES)
        kernel = RawKernel(kernel.code, kernel.name, kernel.options)
        kernel.max_dynamic_shared_size_bytes = limit
        args = [asarray(a.get()) if hasattr(a, "get") and hasattr(a, "shape") else a for a in args]
    return watched(kernel, grid, block, args, shared_mem, sanitize=sanitize, profile=profile)


def watched(
    kernel, grid, block, args: Sequence, shared_mem: int, *, sanitize: bool, profile: bool
) -> Report:
    loaded = kernel.module.library(checked=True)
    params = kernel.params(loaded)
    row = loaded.copies[0].kernels[kernel.name]
    sizes = geometry.geometry(
        grid, block, shared_mem, kernel.max_dynamic_shared_size_bytes, row.max_threads
    )
    seen = watching.watch(
        kernel.name, loaded, sizes, params, args, checking=sanitize, profiling=profile
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
