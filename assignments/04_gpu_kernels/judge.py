"""What compiles and launches a student's kernel: run in a workshop, or in the student's notebook.

Owns: launches on cudasim, and what is said of them as plain data. Must not know: expected values,
points, students. It imports cudasim and NumPy alone, because it runs where the kernel runs: what it
says counts as data of the submission. Read before: cudasim/__init__.py.
"""

import shutil
from pathlib import Path

import numpy as np

import cudasim
from cudasim import compiler, geometry

RUNTIME = "cudasim_runtime"  # a folder beside the package, in a workshop
TIME_LIMIT_S = 3.0  # of one launch, which takes some hundredths
SHOWN = 20  # findings of one launch
POISON = 0x7FC0BEEF  # a NaN that no arithmetic gives: what the output holds before the launch


def judge(source, name, runs, kept):
    """Launch the kernel ``name`` of a source once for each run, as long as none fails.

    A run is a dict: grid, block, shared_bytes, arguments (arrays and NumPy scalars), output: which
    argument is written. ``kept`` are libraries built before, name -> bytes. Gives a dict: ``error``
    (kind, message, line) or None, ``runs`` with the output, findings and traffic of each,
    ``built``: the libraries that were not kept. Launches are watched: arrays lie far apart there,
    so that a wild store breaks nothing else, and the output is memory that nobody wrote.
    """
    folder = compiler.cache_folder()
    there = Path(cudasim.__file__).parents[1] / RUNTIME
    furnish(folder, there, kept)
    before = {p.name for p in folder.glob("*.so")}
    said, error = [], None
    with cudasim.configured(threads=1, time_limit_s=TIME_LIMIT_S):
        kernel = cudasim.RawKernel(source, name)
        for run in runs:
            try:
                said.append(launched(kernel, **run))
            except cudasim.CudasimError as problem:
                error = [type(problem).__name__, str(problem)[:2000], getattr(problem, "line", 0)]
                break
    built = {p.name: p.read_bytes() for p in folder.glob("*.so") if p.name not in before}
    if there.is_dir():  # a workshop is left as it was found, for the next one's sake
        shutil.rmtree(folder.parent if folder.parent.name == ".cache" else folder)
    return {"error": error, "runs": said, "built": built}


def furnish(folder, there, kept):
    """Put what was compiled before where cudasim looks for it."""
    for file in there.glob("*") if there.is_dir() else ():
        if not (folder / file.name).exists():
            shutil.copyfile(file, folder / file.name)
    for file, data in kept.items():
        if not (folder / file).exists():
            (folder / file).write_bytes(data)


def launched(kernel, grid, block, shared_bytes, arguments, output):
    """One launch: what came out, what the sanitizer found, what crossed the bus."""
    kernel.max_dynamic_shared_size_bytes = max(shared_bytes, geometry.STATIC_SHARED_BYTES)
    given = [cudasim.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
    given[output] = cudasim.empty(arguments[output].shape, arguments[output].dtype)
    given[output]._host.view(np.uint32).fill(POISON)  # and nobody has written it all the same
    report = cudasim.check(kernel, grid, block, given, shared_mem=shared_bytes)
    return {
        "output": cudasim.asnumpy(given[output]),
        "findings": [[f.kind, f.line, f.message] for f in report.findings[:SHOWN]],
        "traffic": {t.array: [t.read_bytes, t.written_bytes] for t in report.counters.traffic},
        "efficiency": [
            [a.line, a.array, a.access, a.sectors, a.least_sectors]
            for a in report.counters.accesses
            if a.space == "global"
        ],
    }
