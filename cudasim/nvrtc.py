"""NVIDIA's own compiler as a judge: is it CUDA, and what does it cost on a real GPU?

Owns: the one import of cuda.bindings (extra ``cuda``; no driver and no GPU is needed), registers,
spills, occupancy. Must not know: the simulator; both judge the same source by themselves.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cudasim.errors import CompileException, CudasimError


@dataclass(frozen=True)
class Multiprocessor:
    """What one multiprocessor of an architecture holds (CUDA C++ Programming Guide, "Compute
    Capabilities"). ``reserved_bytes``: of shared memory that each block loses to the system."""

    n_threads: int
    n_blocks: int
    shared_bytes: int
    reserved_bytes: int = 1024
    n_registers: int = 65536


ARCHITECTURES = {
    "sm_75": Multiprocessor(1024, 16, 64 << 10, 0),
    "sm_80": Multiprocessor(2048, 32, 164 << 10),
    "sm_86": Multiprocessor(1536, 16, 100 << 10),
    "sm_89": Multiprocessor(1536, 24, 100 << 10),
    "sm_90": Multiprocessor(2048, 32, 228 << 10),
    "sm_100": Multiprocessor(2048, 32, 228 << 10),
    "sm_120": Multiprocessor(1536, 24, 100 << 10),
}
REGISTER_UNIT = 256  # registers are given to a warp in pieces of so many
WARP_UNIT = 4  # and warps to the four schedulers alike
SHARED_UNIT = 128


@dataclass(frozen=True)
class Occupancy:
    """How much of a multiprocessor a launch can fill. ``limit``: what is used up first."""

    n_blocks: int
    n_warps: int
    most_warps: int
    limit: str

    @property
    def part(self) -> float:
        return self.n_warps / self.most_warps


@dataclass(frozen=True)
class Cost:
    """What ptxas says of a kernel: registers a thread, bytes spilled, static shared memory."""

    name: str
    arch: str
    n_registers: int
    spill_store_bytes: int
    spill_load_bytes: int
    stack_bytes: int
    shared_bytes: int

    def occupancy(self, n_threads: int, dynamic_shared_bytes: int = 0) -> Occupancy:
        """The occupancy of blocks of ``n_threads``."""
        shared = self.shared_bytes + dynamic_shared_bytes
        return occupancy(self.arch, n_threads, self.n_registers, shared)


@dataclass(frozen=True)
class Verdict:
    """A source that NVRTC accepts: one Cost a kernel, and the compiler's log."""

    arch: str
    costs: tuple[Cost, ...]
    log: str

    def cost(self, name: str) -> Cost:
        """The cost of one kernel; raises CudasimError where there is none of that name."""
        for cost in self.costs:
            if cost.name == name or re.fullmatch(rf"_Z\d+{re.escape(name)}\w*", cost.name):
                return cost
        raise CudasimError(f"no kernel {name!r}, got {', '.join(c.name for c in self.costs)}")


def is_available() -> bool:
    """True where the extra ``cuda`` is installed."""
    try:
        return importlib.util.find_spec("cuda.bindings.nvrtc") is not None and headers() is not None
    except ModuleNotFoundError:
        return False


def headers() -> Path | None:
    """The folder of CUDA's headers that nvidia-cuda-runtime brings."""
    spec = importlib.util.find_spec("nvidia")
    for place in spec.submodule_search_locations if spec else []:
        for found in sorted(Path(place).glob("*/include/cuda_fp16.h")):
            return found.parent
    return None


def judge(code: str, *, arch: str = "sm_80", options: Sequence[str] = ()) -> Verdict:
    """Compiles a source to machine code for ``arch``.

    Raises CompileException with NVRTC's own messages, CudasimError for an unknown architecture or
    where the extra is missing.
    """
    if not is_available():
        raise CudasimError("NVRTC is not installed: pip install 'minengine[cuda]'")
    if arch not in ARCHITECTURES:
        raise CudasimError(f"arch {arch!r}: want one of {', '.join(ARCHITECTURES)}")
    include = [f"-I{headers()}", f"-I{headers()}/cccl"]
    given = [f"--gpu-architecture={arch}", "--ptxas-options=-v", *include, *options]
    log, failed = compiled(code, given)
    if failed:
        raise CompileException(log, tuple(errors(log)))
    return Verdict(arch, tuple(costs(log, arch)), log)


def compiled(code: str, options: Sequence[str]) -> tuple[str, bool]:
    from cuda.bindings import nvrtc

    problem, program = nvrtc.nvrtcCreateProgram(code.encode(), b"kernel.cu", 0, [], [])
    if problem != nvrtc.nvrtcResult.NVRTC_SUCCESS:
        raise CudasimError(f"NVRTC: {problem.name}")
    (problem,) = nvrtc.nvrtcCompileProgram(program, len(options), [o.encode() for o in options])
    _, n_bytes = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * n_bytes
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(program)
    text = log.decode("utf-8", "replace").rstrip("\0 \n")
    if problem == nvrtc.nvrtcResult.NVRTC_SUCCESS:
        return text, False
    if problem != nvrtc.nvrtcResult.NVRTC_ERROR_COMPILATION and not text:
        raise CudasimError(f"NVRTC: {problem.name}")
    return text, True


def errors(log: str) -> list[tuple[int, int, str]]:
    """(line, 0, text) of each error; NVRTC gives no columns but marks the place below the line."""
    found = re.findall(r"kernel\.cu\((\d+)\): (?:catastrophic )?error(?: #\d+-D)?: (.*)", log)
    return [(int(line), 0, text) for line, text in found]


def costs(log: str, arch: str) -> list[Cost]:
    """One row for each entry function that ptxas tells of."""
    found = []
    for part in log.split("Compiling entry function '")[1:]:
        number = {
            k: int(m.group(1)) if (m := re.search(pattern, part)) else 0
            for k, pattern in {
                "n_registers": r"Used (\d+) registers",
                "spill_store_bytes": r"(\d+) bytes spill stores",
                "spill_load_bytes": r"(\d+) bytes spill loads",
                "stack_bytes": r"(\d+) bytes stack frame",
                "shared_bytes": r"(\d+) bytes smem",
            }.items()
        }
        found.append(Cost(name=part.split("'")[0], arch=arch, **number))
    return found


def occupancy(arch: str, n_threads: int, n_registers: int, shared_bytes: int) -> Occupancy:
    """Blocks that fit on a multiprocessor: the least of what threads, registers and memory allow.

    Registers go to whole warps, rounded up to 256; warps are shared out to four schedulers (CUDA
    Occupancy Calculator).
    """
    most = ARCHITECTURES[arch]
    warps = -(-n_threads // 32)
    per_warp = -(-max(1, n_registers) * 32 // REGISTER_UNIT) * REGISTER_UNIT
    fit = most.n_registers // per_warp // WARP_UNIT * WARP_UNIT
    used = -(-(shared_bytes + most.reserved_bytes) // SHARED_UNIT) * SHARED_UNIT
    limits = {
        "threads": most.n_threads // 32 // warps,
        "blocks": most.n_blocks,
        "registers": fit // warps,
        "shared memory": most.shared_bytes // used if used else most.n_blocks,
    }
    least = min(limits, key=lambda k: limits[k])
    n = limits[least]
    return Occupancy(n, n * warps, most.n_threads // 32, least)
