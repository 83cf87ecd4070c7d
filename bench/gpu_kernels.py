"""Kernels of the course, of cudasim's corpus and of others, on a GPU and beside the simulator.

Owns: one launch on the GPU from plain arrays, and a job for each collection of kernels; what a row
of the table says. Must not know: points, submissions (gpu_bank.py), timing tables (gpu_ladder.py).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import cudasim
from course.experiments import kernels as experiment
from cudasim import device, geometry, replay

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "cudasim")]

import corpus  # noqa: E402
import cudasim_public as public  # noqa: E402

from autograder import catalog  # noqa: E402

# Headers and names of the host's C library, which NVRTC has not; the simulator takes them.
HOSTED = re.compile(r"^\s*#\s*include\s*<(?!cuda_fp16|cuda_bf16|cooperative_groups)[^>]*>", re.M)
GIVEN = """#define INFINITY __int_as_float(0x7f800000)
#define M_PI 3.14159265358979323846
#define FLT_MAX 3.402823466e38f
"""
# fused multiply-adds, sums in another order, the GPU's own exp and sin
NEAR = {"rtol": 2e-5, "atol": 2e-5}


@dataclass(frozen=True)
class Row:
    """One thing asked of the GPU: ``want`` is what had to come out, "any" where nothing had to."""

    part: str
    name: str
    want: str
    found: str
    note: str = ""

    @property
    def ok(self) -> bool:
        return self.want in ("any", self.found)


def launched(
    source: str, name: str, grid, block, args: Sequence, shared: int = 0,
    expressions: Sequence[str] = (),
) -> list:  # fmt: skip
    """One launch with CuPy: the arguments afterwards, arrays as CuPy's."""
    cupy = device.library()
    module = cupy.RawModule(code=source, name_expressions=tuple(expressions) or None)
    kernel = module.get_function(name)
    if shared > geometry.STATIC_SHARED_BYTES:
        kernel.max_dynamic_shared_size_bytes = shared
    held = [replay.placed(cupy, a, None) if isinstance(a, np.ndarray) else a for a in args]
    sizes = geometry.tupled(grid), geometry.tupled(block)
    kernel(*sizes, tuple(held), shared_mem=shared)
    cupy.cuda.Device().synchronize()
    return held


def compared(got: np.ndarray, want: np.ndarray) -> str:
    """ "right", or how far off the worst number is."""
    if want.dtype.names:  # records are bytes to CuPy
        return "right" if got.tobytes() == want.tobytes() else "other bytes"
    got, want = got.astype(np.float64), want.astype(np.float64)
    if np.allclose(got, want, equal_nan=True, **NEAR):
        return "right"
    return f"off {np.nanmax(np.abs(got - want)):.3g}"


def hosts(args: Sequence) -> list:
    return [a.get() if isinstance(a, cudasim.ndarray) else a for a in args]


def clean_kernels(case: corpus.Case) -> list[Row]:
    """A clean kernel of the corpus computes on a GPU what it computes in the simulator."""
    grid, block, shared = case.sizes
    source = case.path.read_text(encoding="utf-8")
    given = case.arguments()
    held = launched(source, case.name, grid, block, hosts(given), shared)
    kernel = cudasim.RawModule(code=source).get_function(case.name)
    kernel(grid, block, given, shared_mem=shared)
    pairs = [(h.get(), g.get()) for h, g in zip(held, given, strict=True) if hasattr(g, "get")]
    said = {compared(*pair) for pair in pairs} - {"right"}
    return [Row("corpus", str(case), "right", ", ".join(sorted(said)) or "right")]


def public_kernel(checkouts: tuple[Path, ...], number: int) -> list[Row]:
    """A kernel that nobody here wrote: NumPy's word on the GPU and in the simulator."""
    file, name, make = public.ROWS[number]
    find = partial(public.locate, checkouts)
    _, _, simulated, checked, _ = public.run(find, file, name, make)
    launch = make()
    wanted = tuple(kernel for f, kernel, _ in public.ROWS if f == file)
    source = GIVEN + HOSTED.sub("", public.device_code(find(file)))
    held = launched(source, name, launch.grid, launch.block, launch.args, launch.shared, wanted)
    found = public.judged(launch, held, file in public.BF16)
    # a kernel that the simulator finds clean and right must be right there too
    want = "right" if (simulated, checked) == ("right", "clean") else "any"
    return [Row("public", f"{file} {name}", want, found, f"simulator: {simulated}, {checked}")]


def lab_kernel(name: str, length: int) -> list[Row]:
    """A kernel of lab 2.6 on the inputs it is measured on, beside the simulator."""
    plan, one = reference("2.6_gpu_kernels")[name], experiment.measured(name, length, 3)
    source, grid, block, shared = plan(*one.sizes)
    held = launched(source, name, grid, block, one.arguments, shared)
    args = [cudasim.asarray(a) if isinstance(a, np.ndarray) else a for a in one.arguments]
    kernel = cudasim.RawKernel(source, name)
    kernel.max_dynamic_shared_size_bytes = max(shared, geometry.STATIC_SHARED_BYTES)
    kernel(geometry.tupled(grid), geometry.tupled(block), args, shared_mem=shared)
    found = compared(held[one.output].get(), args[one.output].get())
    where = experiment.timed(plan, name, length).where  # others run beside it: no time to keep
    return [Row("lab", f"{name} {length}", "right", found, f"timed on the {where}")]


def strides() -> list[Row]:
    """The lab's two kernels of strides, beside the simulator."""
    rows = []
    for stride in (1, 2, 7, 32):
        x = np.arange(31 * stride + 1, dtype=np.float32)
        out, size = np.full(32, np.nan, np.float32), np.int32(stride)
        for name, args, shared in (
            ("strided", (x, out, size), 0), ("banked", (out, size), 4 * x.size),
        ):  # fmt: skip
            held = launched(experiment.STRIDED, name, 1, 32, args, shared)
            found = compared(held[-2].get(), x[::stride])
            rows.append(Row("lab", f"{name} {stride}", "right", found))
    return rows


def reference(assignment: str) -> dict:
    """The names that an assignment's reference defines."""
    names: dict = {"np": np}
    for source in catalog.find_course(ROOT).assignment(assignment).reference.sources.values():
        exec(source, names)
    return names
