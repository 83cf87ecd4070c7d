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
import signal
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
from cudasim.arrays import ndarray
from cudasim.errors import CudasimError
from cudasim.geometry import STATIC_SHARED_BYTES, tupled
from cudasim.kernels import RawKernel, in_source

WANTED = ("auto", "gpu", "simulator")
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
HELD_BACK = 512  # launches that wait in a GPU's queue; more and the host itself would wait
# A kernel that keeps the GPU busy while the host fills its queue
WAIT = r"""
extern "C" __global__ void wait(long long ns) {
    unsigned long long now, begin;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(begin));
    do
        asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
    while ((long long)(now - begin) < ns);
}
"""
A_LAUNCH_NS = 60_000  # that the host may take for a launch between two events, generously


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
    """Times launches by events, after one that warms up.

    On a GPU they wait in its queue until the host has made all of them: from an idle GPU the events
    would measure how long Python takes for a launch, some ten microseconds, of any small kernel.
    """
    simulated = isinstance(kernel, RawKernel)
    cupy = gpu()
    cuda = simulated_cuda if simulated else cupy.cuda
    grid, block = tupled(grid), tupled(block)
    if shared_mem > STATIC_SHARED_BYTES:
        kernel.max_dynamic_shared_size_bytes = shared_mem
    kernel(grid, block, tuple(args), shared_mem=shared_mem)
    times = []
    while len(times) < repeat:
        n = min(repeat - len(times), HELD_BACK)
        events = [(cuda.Event(), cuda.Event()) for _ in range(n)]
        if not simulated:
            hold_back(cupy, n)
        for begin, end in events:
            begin.record()
            kernel(grid, block, tuple(args), shared_mem=shared_mem)
            end.record()
        events[-1][1].synchronize()
        times += [cuda.get_elapsed_time(*pair) for pair in events]
    where = "simulator" if simulated else "gpu"
    return Timing(where, statistics.median(times), min(times), repeat)


def hold_back(cupy: ModuleType, n: int) -> None:
    """Keep an idle GPU waiting for as long as the host may need for n launches."""
    kernel = cupy.RawKernel(WAIT, "wait")
    kernel((1,), (1,), (np.int64(0),))  # compiled and loaded, before it counts
    cupy.cuda.Device().synchronize()
    kernel((1,), (1,), (np.int64(n * A_LAUNCH_NS),))


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
        log = said(command, timeout_s)
    return Sanitized(tool, n_errors(log, 1), log)


def n_errors(log: str, n_launches: int) -> int:
    """What the sanitizer counted; CudasimError where it says nothing, or nothing was launched."""
    # racecheck counts hazards, the other tools errors
    summary = re.search(r"(?:ERROR|RACECHECK) SUMMARY: (\d+)", log)
    n = int(summary.group(1)) if summary else 0
    if summary is None or (n == 0 and f"replayed {n_launches} launches" not in log):
        raise CudasimError(f"compute-sanitizer gave no verdict:\n{log[-2000:]}")
    return n


def said(command: Sequence[str], timeout_s: float) -> str:
    """What a program prints; CudasimError where it does not end. It may have started others."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, start_new_session=True, errors="replace", **pipes) as running:
        try:
            return running.communicate(timeout=timeout_s)[0]
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)  # a kernel that never ends, too
            log = running.communicate()[0]
    raise CudasimError(f"{Path(command[0]).name}: no end after {timeout_s:g} s:\n{log[-2000:]}")


def save_launch(path: Path, kernel, grid, block, args: Sequence, shared_mem: int) -> None:
    """Writes a launch as plain arrays (no pickle): source, sizes, arguments in order.

    Of an array of the simulator it is known which bytes were written; CuPy's count as written.
    """
    values = {}
    for i, a in enumerate(args):
        if isinstance(a, ndarray) and (flags := a._written()) is not None:
            values[f"written{i}"] = flags
        kind = "array" if hasattr(a, "get") and hasattr(a, "shape") else "scalar"
        if a is not None:
            values[f"{kind}{i}"] = a.get() if kind == "array" else np.asarray(a)
    name, expressions = in_source(kernel)
    np.savez(
        path,
        code=np.asarray(kernel.code),
        name=np.asarray(name),
        expressions=np.asarray(list(expressions), dtype=str),
        options=np.asarray(list(kernel.options), dtype=str),
        grid=np.atleast_1d(grid),
        block=np.atleast_1d(block),
        n=np.asarray([len(args), shared_mem]),
        **values,
    )
