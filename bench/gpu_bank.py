"""Solutions of the courses' GPU tasks, judged by the checks' own comparisons, launched on a GPU.

The checks ask a *workshop* to launch a kernel and compare what it says is in the output. Here that
workshop is the GPU, so inputs, sizes, tolerances and near misses are those of the grader. What only
the simulator can say, findings and traffic, is left out: these checks' launches have no values.
Owns: that workshop, a job for each solution and for each notebook. Read before:
autograder/kernels.py, kernel_checks.py.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gpu_kernels
import numpy as np
from gpu_kernels import ROOT, Row

from autograder import catalog, kernel_checks
from autograder.catalog import Assignment, Solution
from autograder.errors import CheckFailed
from autograder.local import LocalStudent
from course.lab import running
from cudasim import device, judging

TASKS = ("04_gpu_kernels", "2.6_gpu_kernels")
SEEDS = 3
# What follows from a fault that only the simulator's sanitizer sees: on a GPU anything may.
FAULTS = {*kernel_checks.KINDS, "kernel-stopped"}
NOT_ASKED = {"kernel-endless"}  # nothing would end it
# What the simulator counts: values are right all the same
COUNTED = {"not-coalesced", "not-tiled", "cache-read-again", "history-read-again", "read-again"}


class Workshop:
    """Launches for a check as cudasim.judging does, but on the GPU; ``asked`` counts them.

    ``beside``: the simulator launches the same too, and ``apart`` is how far the two lie apart.
    """

    def __init__(self, beside: bool) -> None:
        self.asked, self.beside, self.apart = 0, beside, 0.0

    def judge(
        self, source: str, name: str, runs: Sequence[Mapping[str, Any]], kept: Mapping[str, bytes]
    ) -> dict[str, Any]:
        said, error = [], None
        for run in runs:
            self.asked += 1
            try:
                said.append(self.launched(source, name, **run))
            except Exception as problem:  # noqa: BLE001 - CuPy's own, by their names
                error = [kind(problem), f"{type(problem).__name__}: {problem}"[:2000], 0]
                break
        if self.beside and error is None:
            other = judging.judge(source, name, runs, {})
            if other["error"]:
                raise RuntimeError(f"in the simulator: {other['error']}")
            for ours, theirs in zip(said, other["runs"], strict=True):
                off = np.nanmax(np.abs(ours["output"] - theirs["output"]), initial=0)
                self.apart = max(self.apart, float(off))
        return {"error": error, "runs": said, "built": {}}

    def launched(
        self, source: str, name: str, grid, block, shared_bytes: int, arguments, output: int
    ) -> dict[str, Any]:
        given = list(arguments)
        given[output] = np.empty_like(given[output])
        given[output].view(np.uint32).fill(judging.POISON)
        held = gpu_kernels.launched(source, name, grid, block, given, shared_bytes)
        seen = {"findings": [], "traffic": {}, "efficiency": [], "counts": [0, 0]}
        return {"output": held[output].get(), **seen}


def kind(problem: Exception) -> str:
    """The exception of cudasim's that says the same."""
    text = f"{type(problem).__name__} {problem}"
    if "CompileException" in text:
        return "CompileException"
    refused = ("INVALID_VALUE", "INVALID_CONFIGURATION", "OUT_OF_RESOURCES", "OverflowError")
    return "LaunchError" if any(word in text for word in refused) else "CUDADriverError"


class Student(LocalStudent):
    """A namespace whose kernels run on the GPU."""

    def __init__(self, namespace: dict[str, Any], shop: Workshop) -> None:
        super().__init__(namespace)
        self._shop = shop

    def workshop(self, name: str, program: str, packages: Sequence[Path] = ()) -> Workshop:
        return self._shop


def solutions() -> list[tuple[str, str, str]]:
    """(task, kind, name) of all that have a kernel to launch."""
    found = []
    for task in TASKS:
        found += [
            (task, s.kind, s.name)
            for s in catalog.find_course(ROOT).assignment(task).solutions()
            if any("__global__" in text for text in s.own.values())
            and not NOT_ASKED & set(s.fails.values())
        ]
    return found


def judged(task: str, solution_kind: str, name: str) -> list[Row]:
    """What the checks of values say of one solution on the GPU."""
    assignment = catalog.find_course(ROOT).assignment(task)
    (solution,) = (
        s for s in assignment.solutions() if (s.kind, s.name) == (solution_kind, name)
    )  # fmt: skip
    values_alone(assignment)
    names: dict[str, Any] = {"np": np}
    for source in solution.sources.values():
        exec(source, names)
    rows, spoilt = [], False
    for check in assignment.checks:
        if "__global__" not in solution.own.get(check.hole, "") or spoilt:
            continue
        shop = Workshop(beside=solution.kind != "wrong")
        found, note = "right", ""
        for seed in range(SEEDS):
            try:
                with np.errstate(all="ignore"):
                    check(Student(names, shop), np.random.default_rng([seed, 26]))
            except CheckFailed as failed:
                # without the folders in which a source was compiled
                found, note = failed.tag, " ".join(re.sub(r"/\S*/", "", str(failed)).split())[:200]
                break
        spoilt = found == "kernel-stopped"  # and with it the process's context
        if shop.asked or found != "right":
            note = note or (f"simulator apart {shop.apart:.1g}" if shop.beside else "")
            want = wanted(solution, check.id)
            rows.append(Row(solution.kind, f"{task} {name} {check.id}", want, found, note))
    return rows


def wanted(solution: Solution, check: str) -> str:
    """The tag a check must give; "any" for what a fault of memory or order may do to values."""
    tag = solution.fails.get(check, "right")
    if FAULTS & set(solution.fails.values()):
        return "any"
    return "right" if tag in COUNTED else tag


def values_alone(assignment: Assignment) -> None:
    """In this process, checks ask for values and nothing else."""

    def idle(*args: Any, **options: Any) -> None:
        """Not asked of a GPU."""

    kernel_checks.frugal = assignment.module.frugal = assignment.module.clean = idle


def notebook(task: str) -> list[Row]:
    """The cells of a task's notebook, reference in its holes, with what device.library() gives."""
    assignment = catalog.find_course(ROOT).assignment(task)
    sources = assignment.reference.sources
    cells = [
        {"id": c.id, "source": sources[c.name] if c.kind == "hole" else c.source}
        for c in assignment.handout.cells if not c.is_text
    ]  # fmt: skip
    with contextlib.redirect_stderr(io.StringIO()):
        done = running.run(cells)
    bad = [
        o["data"][:300] for out in done["outputs"] for o in out if o["kind"] in ("error", "check")
    ]
    texts = [o["data"] for out in done["outputs"] for o in out if o["kind"] in ("text", "html")]
    where = device.library().__name__
    on = "gpu" if "gpu" in "".join(texts) or where == "cupy" else "simulator"
    note = f"{len(cells)} cells in {done['seconds']:.1f} s with {where}, on the {on}"
    return [Row("notebook", task, "right", "; ".join(bad) or "right", note)]
