"""Timing where other programs run too: processor time of many samples, those that were disturbed
left out.

Owns: what a sample is, which count, and the ceilings beside them. Must not know: what is timed.
A sample counts where the process had its processors: CPU seconds of at least ``SHARE`` of the
wall's for each thread. Where too few are left, the least disturbed half counts, and
``Timing.clean`` says how many were clean.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import minengine
from minengine import strips

SHARE = 0.97


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median and the range of the samples that count."""

    seconds: float
    least: float
    most: float
    clean: int
    samples: int


def timed(
    call: Callable[[], object], *, samples: int = 9, n_threads: int = 1, least: float = 0.02
) -> Timing:
    """Time a call; one that is shorter than ``least`` seconds is repeated within a sample."""
    call()
    start = time.perf_counter()
    call()
    repeats = max(1, round(least / max(time.perf_counter() - start, 1e-9)))
    found = []
    for _ in range(samples):
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(repeats):
            call()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        # on one thread CPU seconds are what the call took; on several only the wall knows
        seconds = cpu if n_threads == 1 else wall
        found.append((cpu / wall / n_threads, seconds / repeats))
    clean = [s for share, s in found if share >= SHARE]
    enough = len(clean) >= 3
    used = clean if enough else [s for _, s in sorted(found)[len(found) // 2 :]]
    return Timing(statistics.median(used), min(used), max(used), len(clean), samples)


def bandwidth(memory: np.ndarray, *, n_threads: int = 1, variant: str | None = None) -> float:
    """Bytes a second that are read from memory with nothing else to do, the median."""
    n_bytes = strips.read(memory, n_threads=n_threads, variant=variant)
    call = lambda: strips.read(memory, n_threads=n_threads, variant=variant)  # noqa: E731
    return n_bytes / timed(call, samples=5, n_threads=n_threads).seconds


def products(*, n_threads: int = 1, variant: str | None = None) -> float:
    """Multiplications and additions of 8 bits a second with nothing else to do, the median."""
    call = lambda: strips.dots(100_000, n_threads=n_threads, variant=variant)  # noqa: E731
    n = strips.dots(100_000, n_threads=n_threads, variant=variant)
    return n / timed(call, samples=5, n_threads=n_threads).seconds


def machine() -> dict[str, str]:
    """What a table of times must say: processor, versions."""
    return {
        "processor": processor(),
        "variant": strips.CHOSEN,
        "minengine": minengine.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.system(),
    }


def processor() -> str:
    """Its name; of x86 on Linux family and model too: names of virtual machines say little."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            said = dict(map(str.strip, line.split(":", 1)) for line in f if ":" in line)
    except OSError:
        said = {}
    if "cpu family" not in said:
        return platform.processor() or platform.machine()
    return f"{said['model name']}, family {said['cpu family']} model {said['model']}"
