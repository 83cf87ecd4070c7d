"""From what a student's function says of a CUDA kernel to what the kernel did.

Owns: the plan (source, grid, block, shared bytes) as it may be, the workshop where it is launched,
libraries kept between launches. Must not know: which kernel is right, points. It and
kernel_checks.py are the grader's files that know cudasim. Read before: cudasim/judging.py (what
runs beside the kernel), sandbox.py (``Student.workshop``).
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autograder.checks import CheckFailed, require
from cudasim import compiler

PROGRAM = "from cudasim.judging import judge"  # what a workshop runs
MAX_SOURCE = 64 << 10  # characters
# Names of the simulator's own, with which a kernel could blind what watches it; and what would
# spell them or turn the watching off.
RESERVED = re.compile(
    r"\b(\w*(?:cudasim|CUDASIM|__tsan|__ubsan|__sanitizer|__builtin)\w*"
    r"|watch_\w*|count_(?:step|flush|access|launch|warp_end)|block_|launch_|outcome_|nap|abandon"
    r"|site_of|in_stacks|_Pragma)\b|(##|%:%:|#\s*pragma\s+GCC)"
)
KEPT = 64  # sources whose libraries are remembered, some 300 KB each
SAID = {"output", "findings", "traffic", "efficiency", "counts"}
_kept: OrderedDict[str, dict[str, bytes]] = OrderedDict()
_refused: OrderedDict[str, tuple[str, str]] = OrderedDict()  # of a source, or a launch: tag, words
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
    """One launch that is asked for, and what is right.

    ``sizes`` are what a student's function gets, ``arguments`` the kernel's, ``output`` the number
    of the one that is written. ``want``: what should stand there; ``near``: tag -> what a known
    mistake would put there. ``least_bytes``: what has to cross the bus, for the arrays ``counted``
    (all, where none is named).
    """

    sizes: tuple[int, ...]
    arguments: tuple[Any, ...]
    output: int
    want: np.ndarray
    near: Mapping[str, Callable[[], Any]]
    least_bytes: int
    counted: tuple[str, ...] = ()
    read_bytes: int = 0  # that an answer depends on, where it is not all that was given

    @property
    def depends_bytes(self) -> int:
        """Bytes of the inputs that a right answer depends on."""
        given = [a for i, a in enumerate(self.arguments) if i != self.output]
        return self.read_bytes or sum(a.nbytes for a in given if isinstance(a, np.ndarray))


@dataclass(frozen=True)
class Plan:
    """What a student's function gave, checked."""

    source: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared_bytes: int


def plan(student: Any, hole: str, sizes: tuple[int, ...]) -> Plan:
    """Ask the student's function for a launch; CheckFailed says what is no source, grid, block."""
    got = getattr(student, hole)(*sizes)
    shaped = isinstance(got, list | tuple) and len(got) == 4
    require(shaped, f"{hole} gave no (source, grid, block, shared_bytes)", "plan-shape")
    source, grid, block, shared = got
    require(isinstance(source, str), f"the source is a {type(source).__name__}, want a string",
            "plan-shape")  # fmt: skip
    require(len(source) <= MAX_SOURCE, f"the source has more than {MAX_SOURCE} characters",
            "plan-shape")  # fmt: skip
    taken = RESERVED.search(source)
    if taken:
        raise CheckFailed("name-reserved", f"{taken[0]!r} is the simulator's own: use another name")
    return Plan(source, whole("grid", grid), whole("block", block), whole("shared", shared)[0])


def whole(what: str, given: Any) -> tuple[int, ...]:
    """One to three whole numbers."""
    sizes = tuple(given) if isinstance(given, list | tuple) else (given,)
    plain = all(isinstance(s, int | np.integer) and not isinstance(s, bool) for s in sizes)
    require(1 <= len(sizes) <= 3 and plain, f"{what} is {given!r}"[:200] + ", want whole numbers",
            "plan-shape")  # fmt: skip
    return tuple(int(s) for s in sizes)


def launch(student: Any, hole: str, cases: list[Case]) -> list[dict]:
    """Launch a student's kernel on each case: its output, findings, traffic (judging.py).

    CheckFailed where it does not compile, is refused or is stopped, with cudasim's words.
    """
    plans = [plan(student, hole, case.sizes) for case in cases]
    said = {}
    for source in dict.fromkeys(p.source for p in plans):
        mine = [i for i, p in enumerate(plans) if p.source == source]
        asked = [(cases[i], plans[i]) for i in mine]
        said |= zip(mine, judged(student, hole, source, asked), strict=True)
    return [said[i] for i in range(len(cases))]


def run(case: Case, plan: Plan) -> dict[str, Any]:
    return {
        "grid": plan.grid,
        "block": plan.block,
        "shared_bytes": plan.shared_bytes,
        "arguments": case.arguments,
        "output": case.output,
    }


def judged(student: Any, hole: str, source: str, asked: list[tuple[Case, Plan]]) -> list[dict]:
    key = hashlib.sha256(f"{hole} {source}".encode("utf-8", "replace")).hexdigest()
    launches = [f"{key} {c.sizes} {p.grid} {p.block} {p.shared_bytes}" for c, p in asked]
    for known in (key, *launches):
        if known in _refused:
            raise CheckFailed(*_refused[known])
    shop = student.workshop(hole, PROGRAM, packages())
    runs = [run(case, plan) for case, plan in asked]
    reply = shop.judge(source, hole, runs, _kept.get(key, {}))
    fits = isinstance(reply, dict) and isinstance(reply.get("runs"), list)
    require(fits, "the kernel broke what launches it", "kernel-stopped")
    keep(key, reply.get("built"))
    rows = reply["runs"]
    if error := reply.get("error"):
        told = TAGS.get(error[0], "kernel-stopped"), str(error[1])
        # not tried again for every check: the source, or one launch of it, nothing wider
        if told[0] == "does-not-compile":
            remember(_refused, key, told)
        elif told[0] == "kernel-endless" and len(rows) < len(runs):
            remember(_refused, launches[len(rows)], told)
        raise CheckFailed(*told)
    fits = len(rows) == len(runs) and all(isinstance(r, dict) and r.keys() >= SAID for r in rows)
    require(fits, "the kernel broke what launches it", "kernel-stopped")
    return rows


def keep(key: str, built: Any) -> None:
    """Remember the libraries of a source; they serve that very source alone."""
    if isinstance(built, dict) and built:
        files = {str(k): v for k, v in built.items() if isinstance(v, bytes) and "/" not in str(k)}
        remember(_kept, key, _kept.get(key, {}) | files)


def remember(what: OrderedDict, key: str, value: Any) -> None:
    what[key] = value
    what.move_to_end(key)
    while len(what) > KEPT:
        what.popitem(last=False)


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
    return Path(compiler.__file__).resolve().parent, folder
