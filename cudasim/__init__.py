"""CuPy's RawKernel without a GPU: CUDA C++ compiled for this machine's processor and run there.

    import cudasim as cupy

Reading order: source.py (what a source says), translation.py (what the C++ compiler gets),
compiler.py, include/ (what a kernel sees), runtime/scheduler.cpp (how a block's threads run),
library.py, geometry.py and launching.py (a launch), kernels.py (RawKernel).
A kernel is code of the host here: run strangers' kernels in a sandbox only.
"""

from __future__ import annotations

import numpy as np

from cudasim import cuda
from cudasim.arrays import (
    array,
    asarray,
    ascontiguousarray,
    asnumpy,
    empty,
    empty_like,
    from_numpy,
    get_array_module,
    ndarray,
)
from cudasim.checking import Unsafe, check
from cudasim.errors import (
    CompileException,
    CompilerMissing,
    CUDADriverError,
    CudasimError,
    LaunchError,
    NotSimulated,
    TimeLimit,
)
from cudasim.kernels import RawKernel, RawModule
from cudasim.launching import configured
from cudasim.report import Report

__all__ = [
    "CUDADriverError",
    "CompileException",
    "CompilerMissing",
    "CudasimError",
    "LaunchError",
    "NotSimulated",
    "RawKernel",
    "RawModule",
    "Report",
    "TimeLimit",
    "Unsafe",
    "array",
    "asarray",
    "ascontiguousarray",
    "asnumpy",
    "check",
    "configured",
    "cuda",
    "empty",
    "empty_like",
    "get_array_module",
    "ndarray",
]  # fmt: skip


def __getattr__(name: str):
    """NumPy's functions on our arrays, and its types and constants, under CuPy's names."""
    if name.startswith("_") or not hasattr(np, name):
        raise AttributeError(f"module 'cudasim' has no attribute {name!r}")
    found = getattr(np, name)
    if callable(found) and not isinstance(found, type):
        return from_numpy(name)
    return found
