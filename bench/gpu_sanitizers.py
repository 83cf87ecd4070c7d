"""What NVIDIA's compute-sanitizer finds in the kernels of cudasim's corpus, beside cudasim.

Owns: a row for each faulty kernel, one run of each tool over all clean launches. Must not know: how
a launch is saved (cudasim/device.py). The clean ones: the corpus's, the ladder's, the references of
the course's tasks, on the inputs of their tests.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gpu_ladder
import numpy as np
from gpu_kernels import ROOT, Row, corpus, reference

import cudasim
from autograder import catalog
from course.experiments import kernels as experiment
from cudasim import device

LIMIT_S = 25.0


@dataclass(frozen=True)
class Compared:
    """A faulty kernel: kinds that cudasim finds, and what each of NVIDIA's tools says."""

    kernel: str
    cudasim: str
    memcheck: str
    racecheck: str
    initcheck: str
    synccheck: str


def faulty(number: int) -> list[Compared]:
    """One kernel under each tool."""
    case = list(corpus.cases("faulty"))[number]
    grid, block, shared = case.sizes
    kernel = cudasim.RawModule(code=case.path.read_text(encoding="utf-8")).get_function(case.name)
    args = case.arguments()
    report = cudasim.check(kernel, grid, block, case.arguments(), shared_mem=shared)
    said = {}
    for tool in device.TOOLS:
        try:
            found = device.compute_sanitizer(
                kernel, grid, block, args, shared_mem=shared, tool=tool, timeout_s=LIMIT_S
            )
        except cudasim.CudasimError as problem:
            said[tool] = unsaid(str(problem))
            continue
        if found is None:
            raise RuntimeError("no compute-sanitizer")
        said[tool] = first(found.log) if found.n_errors else ""
    return [Compared(f"{case.path.stem} {case.name}", ", ".join(report.kinds), **said)]


def unsaid(problem: str) -> str:
    """Why a tool gave no verdict: the launch hung or failed under it, and it had found nothing."""
    failed = re.search(r"CUDA_ERROR_\w+|cudaError\w+", problem)
    if "no end after" in problem:
        return "(the launch never ends)"
    return f"(the launch fails: {failed[0]})" if failed else " ".join(problem.split())[-200:]


def first(log: str) -> str:
    """The first thing that a tool found, in its own words, without addresses."""
    for line in log.splitlines():
        words = line.removeprefix("=========").strip()
        if line.startswith("=========") and re.match(
            r"Invalid|Uninit|Barrier|Error: |Warning: |Program hit|Misaligned|Divergent|Potential",
            words,
        ):
            failed = re.match(r"Program hit (\w+)", words)  # what the launch says without a tool
            said = f"(the launch fails: {failed[1]})" if failed else words
            return re.sub(r"0x[0-9a-f]+", "0x..", said)[:100]
    return "found something"


def clean(tool: str) -> list[Row]:
    """One tool over all clean launches, each saved and launched again in one process."""
    program = shutil.which("compute-sanitizer")
    with tempfile.TemporaryDirectory() as folder:
        saved = []
        for i, (kernel, grid, block, args, shared) in enumerate(launches()):
            saved.append(str(Path(folder, f"{i:03}_{kernel.name}.npz")))
            device.save_launch(Path(saved[-1]), kernel, grid, block, args, shared)
        command = [program, "--tool", tool, sys.executable, "-m", "cudasim.replay", *saved]
        log = device.said(command, 200.0)
    n = device.n_errors(log, len(saved))
    where = sorted(set(re.findall(r"at (\w+)\(", log)))
    found = "nothing" if n == 0 else f"{n} in {', '.join(where)}: {first(log)}"
    return [Row("clean", tool, "nothing", found, f"{len(saved)} launches")]


def launches() -> Iterator[tuple]:
    """(kernel, grid, block, arguments, shared bytes) of the simulator, all of them clean."""
    for case in corpus.cases("clean"):
        module = cudasim.RawModule(code=case.path.read_text(encoding="utf-8"))
        grid, block, shared = case.sizes
        yield module.get_function(case.name), grid, block, case.arguments(), shared
    for operation in gpu_ladder.OPERATIONS:
        sizes = operation.awkward[-1]
        arrays = operation.inputs(np.random.default_rng(3), *sizes)
        for rung in operation.rungs:
            held = {name: cudasim.asarray(a) for name, a in arrays.items()}
            module = cudasim.RawModule(code=gpu_ladder.ladder.source(rung))
            for one in rung.launches(*sizes):
                args = experiment.arguments(one, held)
                yield module.get_function(one.name), one.grid, one.block, args, one.shared_bytes
    for task, name, sizes, arguments, output in tasks():
        source, grid, block, shared = reference(task)[name](*sizes)
        args = [cudasim.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
        args[output] = cudasim.empty(arguments[output].shape, np.float32)
        yield cudasim.RawKernel(source, name), grid, block, args, shared


def tasks() -> Iterator[tuple]:
    """(task, kernel, sizes, arguments, output) of the course's references."""
    rng = np.random.default_rng(9)
    cases = catalog.find_course(ROOT).assignment("04_gpu_kernels").module.cases
    for case, name in (
        (cases.scale_add(rng, 300), "scale_add"),
        (cases.rms_norm(rng, 3, 131), "rms_norm"),
        (cases.softmax(rng, 3, 131), "softmax"),
        (cases.matmul(rng, 17, 37, 19), "matmul"),
        (cases.matvec(rng, "Q8_0", 7, 96), "matvec_q8_0"),
        (cases.matvec(rng, "Q4_0", 7, 96), "matvec_q4_0"),
        (cases.attention(rng, 21, 4, 2, 40, 4), "attention"),
    ):
        yield "04_gpu_kernels", name, case.sizes, case.arguments, case.output
    for name in experiment.TASKS:
        one = experiment.measured(name, 131, 3)
        yield "2.6_gpu_kernels", name, one.sizes, one.arguments, one.output
