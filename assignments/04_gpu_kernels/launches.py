"""From what a student's function says to what its kernel did.

Owns: the plan (source, grid, block, shared bytes) as it may be, the workshop where it is launched,
libraries kept between launches. Must not know: which kernel is right, points. Read before:
judge.py (what runs beside the kernel).
"""

from __future__ import annotations

import hashlib
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import cudasim
from autograder.checks import CheckFailed, require
from cudasim import compiler

HERE = Path(__file__).resolve().parent
MAX_SOURCE = 64 << 10  # characters
KEPT = 64  # sources whose libraries are remembered, some 300 KB each
_kept: OrderedDict[str, dict[str, bytes]] = OrderedDict()
# how cudasim's exceptions are named to a student
TAGS = {
    "CompileException": "does-not-compile",
    "LaunchError": "launch-refused",
    "TimeLimit": "kernel-endless",
    "NotSimulated": "not-simulated",
    "CUDADriverError": "kernel-stopped",
}


@dataclass(frozen=True)
class Case:
    """One launch that is asked for: the sizes a student's function gets, the kernel's arguments.

    ``output`` is the number of the argument that is written; it is filled with NaN.
    """

    sizes: tuple[int, ...]
    arguments: tuple[Any, ...]
    output: int


@dataclass(frozen=True)
class Plan:
    """What a student's function gave, checked."""

    source: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared_bytes: int


def plan(student: Any, hole: str, sizes: tuple[int, ...]) -> Plan:
    """Ask the student's function for a launch. CheckFailed says what is no source, grid or block."""
    got = getattr(student, hole)(*sizes)
    shaped = isinstance(got, list | tuple) and len(got) == 4
    require(shaped, f"{hole} gave no (source, grid, block, shared_bytes)", "plan-shape")
    source, grid, block, shared = got
    require(isinstance(source, str), f"the source is a {type(source).__name__}, want a string",
            "plan-shape")  # fmt: skip
    require(len(source) <= MAX_SOURCE, f"the source has more than {MAX_SOURCE} characters",
            "plan-shape")  # fmt: skip
    return Plan(source, whole("grid", grid), whole("block", block), whole("shared", shared)[0])


def whole(what: str, given: Any) -> tuple[int, ...]:
    """One to three whole numbers."""
    sizes = tuple(given) if isinstance(given, list | tuple) else (given,)
    plain = all(isinstance(s, int | np.integer) and not isinstance(s, bool) for s in sizes)
    require(1 <= len(sizes) <= 3 and plain, f"{what} is {given!r}"[:200] + ", want whole numbers",
            "plan-shape")  # fmt: skip
    return tuple(int(s) for s in sizes)


def launch(student: Any, hole: str, cases: list[Case], *, checked: bool = False) -> list[dict]:
    """Launch a student's kernel on each case: outputs, or with ``checked`` findings and traffic.

    CheckFailed where it does not compile, is refused or is stopped, with cudasim's words.
    """
    plans = [plan(student, hole, case.sizes) for case in cases]
    said = []
    for source in dict.fromkeys(p.source for p in plans):
        mine = [(c, p) for c, p in zip(cases, plans, strict=True) if p.source == source]
        said += judged(student, hole, source, [run(c, p, checked) for c, p in mine])
    return said


def run(case: Case, plan: Plan, checked: bool) -> dict[str, Any]:
    arguments = list(case.arguments)
    arguments[case.output] = np.full_like(arguments[case.output], np.nan)
    return {
        "grid": plan.grid,
        "block": plan.block,
        "shared_bytes": plan.shared_bytes,
        "arguments": arguments,
        "outputs": [case.output],
        "checked": checked,
    }


def judged(student: Any, hole: str, source: str, runs: list[dict]) -> list[dict]:
    key = hashlib.sha256(source.encode("utf-8", "replace")).hexdigest()
    shop = student.workshop(hole, (HERE / "judge.py").read_text(encoding="utf-8"), packages())
    reply = shop.judge(source, hole, runs, _kept.get(key, {}))
    fits = isinstance(reply, dict) and isinstance(reply.get("runs"), list)
    require(fits, "the kernel broke what launches it", "kernel-stopped")
    keep(key, reply.get("built"))
    if error := reply.get("error"):
        raise CheckFailed(TAGS.get(error[0], "kernel-stopped"), str(error[1]))
    require(len(reply["runs"]) == len(runs), "the kernel broke what launches it", "kernel-stopped")
    return reply["runs"]


def keep(key: str, built: Any) -> None:
    """Remember the libraries of a source; they serve that very source alone."""
    if isinstance(built, dict) and built:
        files = {str(k): v for k, v in built.items() if isinstance(v, bytes) and "/" not in str(k)}
        _kept[key] = _kept.get(key, {}) | files
        _kept.move_to_end(key)
        while len(_kept) > KEPT:
            _kept.popitem(last=False)


def packages() -> tuple[Path, Path]:
    """cudasim, and its runtime compiled here, so that no workshop has to."""
    cxx = compiler.compiler()
    made = [compiler.runtime_object(cxx, kind) for kind in compiler.RUNTIME]
    folder = compiler.cache_folder() / "cudasim_runtime"
    folder.mkdir(exist_ok=True)
    for file in (*made, compiler.guard_library()):
        if not (folder / file.name).exists():
            shutil.copyfile(file, folder / f"{file.name}.new")
            (folder / f"{file.name}.new").replace(folder / file.name)
    return Path(cudasim.__file__).resolve().parent, folder
