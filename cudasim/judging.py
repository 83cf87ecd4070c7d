"""A stranger's kernel compiled and launched for a grader, and what is said of it as plain data.

It runs where the kernel runs, in a sandbox or in the kernel's author's own notebook, so what it
says is data that the kernel could have spoilt. Owns: ``judge``. Must not know: expected values,
points, who asks. Read before: kernels.py (``check``).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import cudasim.compiler as compiler
import cudasim.geometry as geometry
import cudasim.launching as launching
from cudasim.arrays import asarray, asnumpy, empty
from cudasim.errors import CudasimError
from cudasim.kernels import RawKernel, check

RUNTIME = "cudasim_runtime"  # a folder beside the package, in a workshop
TIME_LIMIT_S = 3.0  # of one launch, which takes some hundredths
SHOWN = 20  # findings of one launch
POISON = 0x7FC0BEEF  # a NaN that no arithmetic gives: what the output holds before the launch


def judge(
    source: str, name: str, runs: Sequence[Mapping[str, Any]], kept: Mapping[str, bytes]
) -> dict[str, Any]:
    """Launch the kernel ``name`` of a source once for each run, as long as none fails.

    A run is a dict: grid, block, shared_bytes, arguments (arrays and NumPy scalars), output: which
    argument is written. ``kept`` are libraries built before, name -> bytes. Gives a dict: ``error``
    (kind, message, line) or None, ``runs`` with the output, findings, traffic and counts of each,
    ``built``: the libraries that were not kept. Launches are watched: arrays lie far apart there,
    so that a wild store breaks nothing else, and the output is memory that nobody wrote.
    """
    folder = compiler.cache_folder()
    there = Path(compiler.__file__).parents[1] / RUNTIME
    furnish(folder, there, kept)
    before = {p.name for p in folder.glob("*.so")}
    said, error = [], None
    with launching.configured(threads=1, time_limit_s=TIME_LIMIT_S):
        kernel = RawKernel(source, name)
        for run in runs:
            try:
                said.append(launched(kernel, **run))
            except CudasimError as problem:
                error = [type(problem).__name__, str(problem)[:2000], getattr(problem, "line", 0)]
                break
    built = {p.name: p.read_bytes() for p in folder.glob("*.so") if p.name not in before}
    if there.is_dir():  # a workshop is left as it was found, for the next one's sake
        shutil.rmtree(folder.parent if folder.parent.name == ".cache" else folder)
    return {"error": error, "runs": said, "built": built}


def furnish(folder: Path, there: Path, kept: Mapping[str, bytes]) -> None:
    """Put what was compiled before where cudasim looks for it."""
    for file in there.glob("*") if there.is_dir() else ():
        if not (folder / file.name).exists():
            shutil.copyfile(file, folder / file.name)
    for file, data in kept.items():
        if not (folder / file).exists():
            (folder / file).write_bytes(data)


def launched(
    kernel: RawKernel,
    grid: tuple,
    block: tuple,
    shared_bytes: int,
    arguments: Sequence,
    output: int,
) -> dict[str, Any]:
    """One launch: what came out, what the sanitizer found, what crossed the bus."""
    kernel.max_dynamic_shared_size_bytes = max(shared_bytes, geometry.STATIC_SHARED_BYTES)
    given = [asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
    given[output] = empty(arguments[output].shape, arguments[output].dtype)
    given[output]._host.view(np.uint32).fill(POISON)  # and nobody has written it all the same
    report = check(kernel, grid, block, given, shared_mem=shared_bytes)
    return {
        "output": asnumpy(given[output]),
        "findings": [[f.kind, f.line, f.message] for f in report.findings[:SHOWN]],
        "traffic": {t.array: [t.read_bytes, t.written_bytes] for t in report.counters.traffic},
        "efficiency": [
            [a.line, a.array, a.access, a.sectors, a.least_sectors]
            for a in report.counters.accesses
            if a.space == "global"
        ],
        "counts": [report.counters.n_barriers, report.counters.bank_conflicts],
    }
