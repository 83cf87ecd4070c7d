"""Runs a launch: copies of the library on threads of the operating system, and what came of it.

Owns: how many threads, the time limit, interruption (Ctrl-C works while a kernel loops), and the
words for a launch that failed. Read geometry.py and library.py before.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import lru_cache

import cudasim.compiler as compiler
import cudasim.symbols as symbols
from cudasim.errors import CUDADriverError, CudasimError, LaunchError, NotSimulated, TimeLimit
from cudasim.geometry import Geometry
from cudasim.library import Copy, Index3, Launch, Library, Outcome

DONE, STUCK, ASSERT, TRAP, GRID_SYNC, WILD, FAULT, CANCELLED, NO_STACK = range(9)
STACK_BYTES = 64 << 10
MAX_COPIES = 16  # guard.cpp says why not more
CHECKED_STACK_BYTES = 256 << 10
OPERATIONS = [
    "__syncwarp",
    "__shfl_sync",
    "__shfl_up_sync",
    "__shfl_down_sync",
    "__shfl_xor_sync",
    "__ballot_sync",
    "__any_sync",
    "__all_sync",
    "__reduce_add_sync",
    "__reduce_min_sync",
    "__reduce_max_sync",
    "__reduce_min_sync",
    "__reduce_max_sync",
    "__reduce_and_sync",
    "__reduce_or_sync",
    "__reduce_xor_sync",
    "__match_any_sync",
    "__match_all_sync",
    "__activemask",
]


@dataclass(frozen=True)
class Settings:
    """How launches run. ``threads``: of the operating system, 0 as many as there are processors."""

    mode: str = "fast"
    threads: int = 0
    time_limit_s: float | None = None
    reports: list = field(default_factory=list)


MODES = ("fast", "checked", "profiled")


def from_environment() -> Settings:
    limit = os.environ.get("CUDASIM_TIME_LIMIT_S")
    return Settings(
        mode=os.environ.get("CUDASIM_MODE", "fast"),
        threads=int(os.environ.get("CUDASIM_THREADS", "0")),
        time_limit_s=float(limit) if limit else None,
    )


_settings: ContextVar[Settings | None] = ContextVar("cudasim_settings", default=None)


def settings() -> Settings:
    """What holds here: the innermost ``configured``, else the environment."""
    return _settings.get() or from_environment()


@contextlib.contextmanager
def configured(**changes) -> Iterator[Settings]:
    """Within the block launches run so: ``mode="checked"``, ``threads=1``, ``time_limit_s=5``.

    Modes: "fast"; "checked" raises Unsafe where the sanitizer finds something; "profiled" counts.
    The reports of both are in ``reports`` of what the ``with`` statement gives.
    """
    new = replace(settings(), **{"reports": [], **changes})
    if new.mode not in MODES:
        raise CudasimError(f"mode {new.mode!r}: want one of {', '.join(MODES)}")
    token = _settings.set(new)
    try:
        yield new
    finally:
        _settings.reset(token)


@lru_cache(maxsize=2)
def workers(process: int) -> ThreadPoolExecutor:
    """The threads that run blocks, for this process alone: after a fork there are none."""
    return ThreadPoolExecutor(max_workers=MAX_COPIES, thread_name_prefix=f"cudasim-{process}")


@lru_cache(maxsize=1)
def guard() -> ctypes.CDLL:
    return ctypes.CDLL(str(compiler.guard_library()))


def n_copies(geometry: Geometry, library: Library) -> int:
    """How many threads of the system: one where a module has variables that blocks share."""
    if any(v.space == "d" for v in library.copies[0].variables):
        return 1
    have = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(settings().threads or have or 1, geometry.n_blocks, MAX_COPIES))


def run(name: str, library: Library, geometry: Geometry, packed: Sequence) -> None:
    """Runs all blocks; raises CUDADriverError where one failed, with the source's line."""
    copies = [library.copy(i) for i in range(n_copies(geometry, library))]
    outcomes = [Outcome() for _ in copies]
    next_block = ctypes.c_int64(0)
    pointers = (ctypes.c_void_p * max(1, len(packed)))(
        *[ctypes.cast(ctypes.byref(p), ctypes.c_void_p) for p in packed]
    )
    launches = [describe(c, name, geometry, pointers, next_block) for c in copies]
    with contextlib.ExitStack() as held:
        for copy in copies:
            held.enter_context(copy.lock)
        together(copies, launches, outcomes, geometry)
        for copy in copies:
            show(copy.printed())
    for copy, outcome in zip(copies, outcomes, strict=True):
        if outcome.kind != DONE:
            raise failure(name, library, copy, outcome, geometry)


def show(printed: str) -> None:
    """Writes what kernels printed to where Python prints: in a notebook, below the cell."""
    if printed:
        sys.stdout.write(printed)


def describe(
    copy: Copy, name: str, geometry: Geometry, pointers, next_block: ctypes.c_int64, **modes: int
) -> Launch:
    return Launch(
        call=copy.kernels[name].call,
        arguments=ctypes.addressof(pointers),
        grid=Index3(*geometry.grid),
        block=Index3(*geometry.block),
        dynamic_bytes=geometry.shared_bytes,
        next_block=ctypes.pointer(next_block),
        n_blocks=geometry.n_blocks,
        stack_bytes=CHECKED_STACK_BYTES if modes else STACK_BYTES,
        **modes,
    )


def together(
    copies: Sequence[Copy],
    launches: Sequence[Launch],
    outcomes: Sequence[Outcome],
    geometry: Geometry,
) -> None:
    """One thread a copy; fills in the outcomes. Ctrl-C and the time limit stop all of them."""
    limit = settings().time_limit_s
    guards = [ctypes.create_string_buffer(guard().guard_bytes()) for _ in copies]
    jobs: list[Future] = [
        workers(os.getpid()).submit(
            guard().guard_run, g, c.launch, ctypes.byref(launch), ctypes.byref(outcome)
        )
        for g, c, launch, outcome in zip(guards, copies, launches, outcomes, strict=True)
    ]  # fmt: skip
    began = time.monotonic()
    try:
        late = not ended(jobs, began + limit if limit is not None else None)
    except BaseException:
        cancel(guards, jobs)
        raise
    if late:
        cancel(guards, jobs)
        done = sum(o.n_done for o in outcomes)
        raise TimeLimit(
            f"stopped after {time.monotonic() - began:.1f} s, the time limit is {limit:g} s; "
            f"{done} of {geometry.n_blocks} blocks were done"
        )
    for g, copy, job, outcome in zip(guards, copies, jobs, outcomes, strict=True):
        if job.result() == -1:
            signal, address, pc = GuardHead.from_buffer(g).read()
            copy.dll.cudasim_where(ctypes.byref(outcome))
            outcome.kind, outcome.signal, outcome.address, outcome.pc = FAULT, signal, address, pc


def ended(jobs: Sequence[Future], until_s: float | None) -> bool:
    """Waits for all of them, in short pieces: Ctrl-C may reach another thread than this one."""
    while True:
        left_s = 0.2 if until_s is None else min(0.2, max(0.0, until_s - time.monotonic()))
        if not wait(jobs, timeout=left_s).not_done:
            return True
        if until_s is not None and time.monotonic() >= until_s:
            return False


class GuardHead(ctypes.Structure):
    """The head of runtime/guard.cpp's Guard."""

    _fields_ = (
        ("active", ctypes.c_int),
        ("cancelled", ctypes.c_int),
        ("signal", ctypes.c_int),
        ("address", ctypes.c_void_p),
        ("pc", ctypes.c_void_p),
    )

    def read(self) -> tuple[int, int, int]:
        return self.signal, self.address or 0, self.pc or 0


def cancel(guards: Sequence, jobs: Sequence[Future]) -> None:
    """Stops the kernels that still run, and waits until they have."""
    while any(not j.done() for j in jobs):
        for g, job in zip(guards, jobs, strict=True):
            if not job.done():
                guard().guard_cancel(g)
        wait(jobs, timeout=0.05)


def failure(
    name: str, library: Library, copy: Copy, outcome: Outcome, geometry: Geometry
) -> Exception:
    """The exception for a launch that failed."""
    at = (outcome.pc or 1) - copy.base - (outcome.kind != FAULT)  # others return there
    line = symbols.lines(library.path, [at])[0]
    where = f", line {line}" if line else ""
    block = place(outcome.block, geometry.grid)
    who = f"thread {place(outcome.thread, geometry.block)} of block {block}"
    if outcome.kind == STUCK:
        return CUDADriverError(
            f"{name} does not end: in block {block} " + stuck(library, copy, outcome, geometry)
        )
    if outcome.kind == ASSERT:
        text = outcome.text.decode("utf-8", "replace")
        return CUDADriverError(
            f"{name}: kernel.cu:{outcome.line}: {who}: Assertion `{text}` failed", outcome.line
        )
    if outcome.kind == TRAP:
        return CUDADriverError(f"{name}: {who} called __trap(){where}", line)
    if outcome.kind == GRID_SYNC:
        return NotSimulated(
            f"{name}{where}: grid.sync() waits for other blocks; one runs at a time"
        )
    if outcome.kind == NO_STACK:
        return LaunchError(f"{name}: no memory for the stacks of {geometry.n_threads} threads")
    if copy.dll.cudasim_is_stack(ctypes.c_void_p(outcome.address)):
        return CUDADriverError(f"{name}: {who} ran out of stack{where}: endless recursion?", line)
    if outcome.signal == 8:
        return CUDADriverError(f"{name}: {who} divides by zero{where}", line)
    return CUDADriverError(
        f"{name}: an illegal memory access was encountered: {who}{where}, address "
        f"{outcome.address or 0:#x}; check(kernel, ...) says of which array",
        line,
    )


def place(linear: int, sizes: tuple[int, int, int]) -> str:
    """A thread's or block's index as CUDA writes it, (x,y,z)."""
    return f"({linear % sizes[0]},{linear // sizes[0] % sizes[1]},{linear // sizes[0] // sizes[1]})"


def stuck(library: Library, copy: Copy, outcome: Outcome, geometry: Geometry) -> str:
    """Which threads wait for what, those that wait for the same together."""
    waiting = list(outcome.waiters[: outcome.n_waiters])
    offsets = [(w.pc or 1) - copy.base - 1 for w in waiting]
    groups: dict[str, list[int]] = {}
    distinct = sorted(set(offsets))
    known = dict(zip(distinct, symbols.lines(library.path, distinct), strict=True))
    for w, offset in zip(waiting, offsets, strict=True):
        what = "__syncthreads" if w.state == 2 else f"{OPERATIONS[w.op]} with mask {w.mask:#010x}"
        groups.setdefault(f"{what} at line {known[offset]}", []).append(w.thread)
    return "; ".join(
        f"{len(t)} thread{'s' * (len(t) > 1)} (first {place(t[0], geometry.block)}) "
        f"wait{'s' * (len(t) == 1)} at {what}"
        for what, t in groups.items()
    )
