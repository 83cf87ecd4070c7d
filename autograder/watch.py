"""The limits of a submission, and the look-out that they are kept while a call runs.

Owns: Limits, Stopped, Watch (time, processor time, memory, files, every 20 ms). Must not know:
pipes, frames, how a process is killed. Read before: walls.py.

The kernel holds a process to its limits as well (forkserver.become_worker); what it can't count,
memory in use and seconds, is counted here.
"""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from autograder.walls import SCRATCH_BYTES, SCRATCH_FILES

TICK_S = 0.02
PATIENCE = 4  # times call_s, where the machine gave the call less than half a processor
PAGE = resource.getpagesize()
CLOCK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Limits:
    """What one submission may use.

    ``call_s``: seconds of one call; where the machine is busy and the call got less than half of
    a processor, up to four times that. ``total_s``: seconds of all calls together. ``cpu_s``:
    processor seconds of one process. ``memory_bytes``: of its own. ``processes``: threads at once.
    ``file_bytes``: one file in the scratch folder. ``reply_bytes``: one reply. ``output_bytes``:
    kept of standard output and of standard error, each; the rest is read and dropped.
    """

    call_s: float = 5.0
    total_s: float = 60.0
    cpu_s: int = 60
    memory_bytes: int = 512 << 20
    processes: int = 32
    file_bytes: int = 8 << 20
    reply_bytes: int = 32 << 20
    output_bytes: int = 64 << 10


class Stopped(Exception):
    """The worker is gone. ``why`` is timeout, memory, killed or bad-reply."""

    def __init__(self, why: str, message: str) -> None:
        super().__init__(message)
        self.why = why


class Watch:
    """Looks after time, memory and files while a call runs."""

    def __init__(self, pid: int, limits: Limits) -> None:
        self._pid, self._limits = pid, limits
        self._next = time.monotonic() + TICK_S
        self.begin(limits.call_s, limits.total_s)

    def begin(self, seconds: float, at_most_s: float) -> None:
        """A call starts that may take ``seconds``, and ``at_most_s`` on the busiest machine."""
        self._seconds, self._at_most_s = seconds, min(PATIENCE * seconds, at_most_s)
        self._start = time.monotonic()
        self._cpu_s: float | None = None

    def next_ms(self) -> float:
        """Milliseconds until the next look."""
        return max(0.0, 1000 * (self._next - time.monotonic())) + 0.5

    @property
    def due(self) -> bool:
        """True every 20 ms, however short the calls are."""
        return time.monotonic() >= self._next

    def look(self, crowded: Callable[[], bool]) -> Stopped | None:
        """Why the process has to be stopped now, if it has; ``crowded`` says its files are."""
        now = time.monotonic()
        self._next = now + TICK_S
        spent, used = now - self._start, cpu_seconds(self._pid)
        if self._cpu_s is None:
            self._cpu_s = used
        busy = used - self._cpu_s >= self._seconds / 2
        if spent > self._at_most_s or (spent > self._seconds and busy):
            return Stopped("timeout", f"it did not finish within {self._seconds:.3g} s")
        limit = self._limits.memory_bytes
        if resident_bytes(self._pid) > limit and own_bytes(self._pid) > limit:
            return Stopped("memory", f"it used more than {limit >> 20} MiB of memory")
        if crowded():
            return Stopped(
                "killed", f"more than {SCRATCH_FILES} files or {SCRATCH_BYTES >> 20} MiB"
            )
        return None


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far, 0 where it can't be told."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK
    return 0.0


def exact_cpu_seconds(pid: int) -> float:
    """The same to the nanosecond where the system has a clock for another process (Linux).

    clock_getcpuclockid(3) makes its number so; threads that have ended are counted too.
    """
    with contextlib.suppress(OSError):
        return time.clock_gettime((~pid << 3) | 2)
    return cpu_seconds(pid) or time.monotonic()


def resident_bytes(pid: int) -> int:
    """Memory in use, shared pages in full; quick."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * PAGE
    return 0


def own_bytes(pid: int) -> int:
    """Memory in use, each shared page divided among those who share it (Pss)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return next(int(s.split()[1]) * 1024 for s in lines if s.startswith("Pss:"))
    except (OSError, ValueError, StopIteration):
        return resident_bytes(pid)
