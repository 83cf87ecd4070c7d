"""CuPy's RawKernel without a GPU: CUDA C++ compiled for this machine's processor and run there.

    import cudasim as cupy

Reading order: source.py (what a source says), translation.py (what the C++ compiler gets),
compiler.py, include/ (what a kernel sees), runtime/scheduler.cpp (how a block's threads run),
library.py, geometry.py and launching.py (a launch), kernels.py (RawKernel).
A kernel is code of the host here: run strangers' kernels in a sandbox only.
"""

from __future__ import annotations

import inspect
import sys

import numpy as np

from cudasim import cuda, device, nvrtc, testing
from cudasim.arrays import (
    array,
    asarray,
    ascontiguousarray,
    asnumpy,
    empty,
    empty_like,
    from_numpy,
    ndarray,
)
from cudasim.checking import Unsafe
from cudasim.errors import (
    CompileException,
    CompilerMissing,
    CUDADriverError,
    CudasimError,
    LaunchError,
    NotSimulated,
    TimeLimit,
)
from cudasim.kernels import RawKernel, RawModule, check
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
    "device",
    "empty",
    "empty_like",
    "get_array_module",
    "ndarray",
    "nvrtc",
    "testing",
]  # fmt: skip


def get_array_module(*arrays):
    """cudasim for arrays of ours, NumPy for others, as CuPy's."""
    return sys.modules[__name__] if any(isinstance(a, ndarray) for a in arrays) else np


def __getattr__(name: str):
    """NumPy's functions on our arrays, and its types and constants, under CuPy's names."""
    if name.startswith("_") or not hasattr(np, name) or inspect.ismodule(getattr(np, name)):
        raise AttributeError(f"module 'cudasim' has no attribute {name!r}")
    found = getattr(np, name)
    if callable(found) and not isinstance(found, type):
        return from_numpy(name)
    return found
