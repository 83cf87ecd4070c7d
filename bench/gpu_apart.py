"""Jobs that touch a GPU, each in a process of its own: a kernel that goes wrong ends no other.

An address that is not there spoils the whole CUDA context, a barrier that nobody comes to hangs it.
Owns: the processes and their limit. Must not know: what a job does; the process that starts them
touches no GPU itself.
"""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

# one that has imported all of it once, from which the others branch off
PRELOADED = ["cupy", "gpu_bank", "gpu_kernels", "gpu_sanitizers"]


@dataclass(frozen=True)
class Job:
    """``call(*args)`` gives rows; ``name`` is for where it gives none."""

    name: str
    call: Callable[..., list]
    args: tuple = ()


@dataclass(frozen=True)
class Failed:
    """A job that gave no rows, and why."""

    name: str
    why: str


def run(jobs: Sequence[Job], *, workers: int, limit_s: float) -> list[list | Failed]:
    """The rows of each job, in their order, or what became of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)

    def one(job: Job) -> list | Failed:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=answer, args=(theirs, job), daemon=False)
        process.start()
        theirs.close()
        try:
            if not ours.poll(limit_s):
                return Failed(job.name, f"no end after {limit_s:g} s")
            return ours.recv()
        except EOFError:
            process.join()
            return Failed(job.name, f"its process ended with {process.exitcode}")
        finally:
            process.kill()
            process.join()

    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(one, jobs))


def answer(out: Any, job: Job) -> None:
    """In the process: the rows, or the end of a traceback."""
    try:
        out.send(job.call(*job.args))
    except Exception:  # noqa: BLE001 - whatever it is, it goes into the table
        out.send(Failed(job.name, "".join(traceback.format_exc()[-1500:])))
