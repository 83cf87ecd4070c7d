"""Where kernels run: on a GPU through CuPy when there is one, else in the simulator.

Owns: the one import of cupy, the decision, timing by events, NVIDIA's compute-sanitizer. Everything
here takes kernels and arrays of either library, so a notebook that begins with

    cp = cudasim.device.library()

runs unchanged on both.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

import cudasim.cuda as simulated_cuda
from cudasim.errors import CudasimError
from cudasim.geometry import tupled
from cudasim.kernels import RawKernel

WANTED = ("auto", "gpu", "simulator")
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")


def gpu() -> ModuleType | None:
    """CuPy where it is installed and sees a GPU, else None."""
    try:
        import cupy
    except ImportError:
        return None
    try:
        return cupy if cupy.cuda.is_available() else None
    except RuntimeError:  # CuPy's errors of a driver that is broken or too old are of this kind
        return None


def library() -> ModuleType:
    """CuPy with a GPU, cudasim without: what kernels and arrays are to be made with.

    ``CUDASIM_DEVICE`` decides otherwise: "simulator" takes the simulator always, "gpu" raises
    CudasimError where there is no GPU.
    """
    wanted = os.environ.get("CUDASIM_DEVICE", "auto")
    if wanted not in WANTED:
        raise CudasimError(f"CUDASIM_DEVICE={wanted}: want one of {', '.join(WANTED)}")
    found = None if wanted == "simulator" else gpu()
    if wanted == "gpu" and found is None:
        raise CudasimError("CUDASIM_DEVICE=gpu: CuPy is not installed or sees no GPU")
    return found or sys.modules[__package__]


@dataclass(frozen=True)
class Timing:
    """Milliseconds of launches. ``where``: "gpu", or "simulator": that says nothing about a GPU."""

    where: str
    median_ms: float
    least_ms: float
    n: int


def time_launch(
    kernel, grid, block, args: Sequence, *, shared_mem: int = 0, repeat: int = 10
) -> Timing:
    """Times launches by events, after one that warms up."""
    simulated = isinstance(kernel, RawKernel)
    cuda = simulated_cuda if simulated else gpu().cuda
    grid, block = tupled(grid), tupled(block)
    kernel(grid, block, tuple(args), shared_mem=shared_mem)
    times = []
    for _ in range(repeat):
        begin, end = cuda.Event(), cuda.Event()
        begin.record()
        kernel(grid, block, tuple(args), shared_mem=shared_mem)
        end.record()
        end.synchronize()
        times.append(cuda.get_elapsed_time(begin, end))
    where = "simulator" if simulated else "gpu"
    return Timing(where, statistics.median(times), min(times), repeat)


@dataclass(frozen=True)
class Sanitized:
    """What compute-sanitizer said of one launch."""

    tool: str
    n_errors: int
    log: str


def compute_sanitizer(
    kernel, grid, block, args: Sequence, *, shared_mem: int = 0, tool: str = "memcheck",
    timeout_s: float = 120.0,
) -> Sanitized | None:  # fmt: skip
    """Runs one launch under NVIDIA's compute-sanitizer, in a process of its own.

    Returns None where the program is not installed or no GPU is there: ``cudasim.check`` does not
    need either. Raises CudasimError where the process fails without a verdict.
    """
    program = shutil.which("compute-sanitizer")
    if tool not in TOOLS:
        raise CudasimError(f"tool {tool!r}: want one of {', '.join(TOOLS)}")
    if program is None or (gpu() is None and os.environ.get("CUDASIM_DEVICE") != "simulator"):
        return None
    with tempfile.TemporaryDirectory(prefix="cudasim-") as folder:
        saved = Path(folder, "launch.npz")
        save_launch(saved, kernel, grid, block, args, shared_mem)
        command = [program, "--tool", tool, sys.executable, "-m", "cudasim.replay", str(saved)]
        ran = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    log = ran.stdout + ran.stderr
    # racecheck counts hazards, the other tools errors
    summary = re.search(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)", log)
    if summary is None:
        raise CudasimError(f"compute-sanitizer gave no verdict:\n{log[-2000:]}")
    return Sanitized(tool, int(summary.group(1)), log)


def save_launch(path: Path, kernel, grid, block, args: Sequence, shared_mem: int) -> None:
    """Writes a launch as plain arrays (no pickle): source, sizes, arguments in order."""
    values = {}
    for i, a in enumerate(args):
        kind = "array" if hasattr(a, "get") and hasattr(a, "shape") else "scalar"
        if a is not None:
            values[f"{kind}{i}"] = a.get() if kind == "array" else np.asarray(a)
    np.savez(
        path,
        code=np.asarray(kernel.code),
        name=np.asarray(kernel.name),
        options=np.asarray(list(kernel.options), dtype=str),
        grid=np.atleast_1d(grid),
        block=np.atleast_1d(block),
        n=np.asarray([len(args), shared_mem]),
        **values,
    )
