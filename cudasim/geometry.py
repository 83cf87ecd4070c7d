"""What may be launched: sizes of grids, blocks and shared memory, and the arguments of a kernel.

Owns: the limits of a GPU of compute capability 9.0 (CUDA C++ Programming Guide, table of technical
specifications) and how Python's values become a kernel's parameters. Everything is checked here,
before anything runs.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cudasim.arrays import ndarray
from cudasim.errors import LaunchError
from cudasim.library import Param

MAX_GRID = (2**31 - 1, 65535, 65535)
MAX_BLOCK = (1024, 1024, 64)
MAX_THREADS = 1024
STATIC_SHARED_BYTES = 48 << 10
MAX_SHARED_BYTES = 227 << 10  # what a kernel can be given after asking for it
WORDS = {"f": "float", "i": "signed", "u": "unsigned", "b": "bool", "v": "void", "s": "struct"}


@dataclass(frozen=True)
class Geometry:
    """A launch's sizes, three of each, x first."""

    grid: tuple[int, int, int]
    block: tuple[int, int, int]
    shared_bytes: int = 0

    @property
    def n_blocks(self) -> int:
        return self.grid[0] * self.grid[1] * self.grid[2]

    @property
    def n_threads(self) -> int:
        return self.block[0] * self.block[1] * self.block[2]


def geometry(
    grid, block, shared_bytes: int, allowed_bytes: int, max_threads: int, static_bytes: int = 0
) -> Geometry:
    """The sizes of a launch, checked; raises LaunchError with got and want."""
    if static_bytes > STATIC_SHARED_BYTES:
        raise LaunchError(
            f"the kernel declares {static_bytes} bytes of __shared__ arrays, at most "
            f"{STATIC_SHARED_BYTES} are allowed; more must be dynamic (extern __shared__)"
        )
    sizes = three(grid, "grid", MAX_GRID), three(block, "block", MAX_BLOCK)
    n = sizes[1][0] * sizes[1][1] * sizes[1][2]
    limit = min(MAX_THREADS, max_threads)
    if n > limit:
        why = "__launch_bounds__ of the kernel" if max_threads < MAX_THREADS else "any GPU's limit"
        raise LaunchError(f"block {sizes[1]} has {n} threads, at most {limit} are allowed ({why})")
    if not 0 <= shared_bytes <= MAX_SHARED_BYTES - static_bytes:
        raise LaunchError(
            f"shared_mem={shared_bytes}: a block has at most {MAX_SHARED_BYTES} bytes of it"
            f"{f', {static_bytes} of them are static' if static_bytes else ''}"
        )
    if shared_bytes > allowed_bytes:
        raise LaunchError(
            f"shared_mem={shared_bytes}: more than {allowed_bytes} bytes must be asked for before, "
            f"kernel.max_dynamic_shared_size_bytes = {shared_bytes}"
        )
    return Geometry(*sizes, shared_bytes)


def tupled(sizes) -> tuple:
    """A size, or a sequence of sizes, as the tuple that a launch wants."""
    return tuple(sizes) if isinstance(sizes, Sequence | np.ndarray) else (sizes,)


def three(sizes, what: str, most: tuple[int, int, int]) -> tuple[int, int, int]:
    if not isinstance(sizes, tuple) or not 1 <= len(sizes) <= 3:
        raise LaunchError(f"{what} {sizes!r}: want a tuple of one to three sizes, as CuPy does")
    given = sizes
    try:
        full = tuple(int(s.__index__()) for s in given) + (1,) * (3 - len(given))
    except (AttributeError, TypeError):
        raise LaunchError(f"{what} {given!r}: sizes are whole numbers") from None
    for name, size, limit in zip("xyz", full, most, strict=True):
        if not 1 <= size <= limit:
            raise LaunchError(f"{what}.{name} is {size}, want 1 to {limit}")
    return full


def pack(name: str, params: Sequence[Param], args: Sequence) -> list:
    """The kernel's arguments as ctypes objects; raises LaunchError for count, type or size."""
    if len(args) != len(params):
        wanted = ", ".join(p.name or "?" for p in params)
        raise LaunchError(f"{name} takes {len(params)} arguments ({wanted}), got {len(args)}")
    return [
        pointer(f"{name}, argument {i} ({p.name})", p, a) if p.kind == "p"
        else scalar(f"{name}, argument {i} ({p.name})", p, a)
        for i, (p, a) in enumerate(zip(params, args, strict=True), 1)
    ]  # fmt: skip


def pointer(what: str, p: Param, value) -> ctypes.c_void_p:
    if value is None:
        return ctypes.c_void_p(0)
    if isinstance(value, np.ndarray):
        raise LaunchError(f"{what}: a NumPy array is in the host's memory; use asarray(x)")
    if not isinstance(value, ndarray):
        raise LaunchError(f"{what}: want an array, got {type(value).__name__}")
    if not fits(p, value.dtype):
        raise LaunchError(f"{what}: want {wanted(p)}, got an array of {value.dtype}")
    return ctypes.c_void_p(value._host.ctypes.data)


def fits(p: Param, dtype: np.dtype) -> bool:
    """May a pointer to that type point to an array of this one? Raw bytes go with everything."""
    if p.element in "vs":
        return p.element == "v" or dtype.itemsize == p.element_size or dtype.itemsize == 1
    if dtype.itemsize == 1 and dtype.kind in "iu" and p.component_size != 1:
        return p.element_size > 8  # vectors over raw bytes
    if p.component_size == 1:
        return dtype.itemsize == 1 or dtype.kind == "V"
    kinds = {"f": "f", "i": "iu", "u": "iu", "b": "b", "h": "f", "g": "u"}[p.element]
    if dtype.kind == "c":
        return p.element == "f" and dtype.itemsize == 2 * p.component_size
    return dtype.kind in kinds and dtype.itemsize == p.component_size


def wanted(p: Param) -> str:
    letter = {
        "h": "float16",
        "g": "bfloat16 (an array of uint16)",
        "f": f"float{8 * p.component_size}",
    }
    word = letter.get(p.element) or f"{WORDS[p.element]} of {p.component_size} bytes"
    return f"a pointer to {word}"


def scalar(what: str, p: Param, value):
    """One scalar or struct. As in CuPy a Python int is 8 bytes and a float a double; an int fits
    every integer parameter all the same (the low bytes come first), a float only a double."""
    if isinstance(value, ndarray) and value.ndim == 0:
        raise LaunchError(f"{what}: want a scalar, got an array; use value.item()")
    if isinstance(value, bool | np.bool_) and p.kind in "biu" and p.size == 1:
        return ctypes.c_uint8(bool(value))
    if isinstance(value, int) and p.kind in "iu":
        low, high = (-(2 ** (8 * p.size - 1)), 2 ** (8 * p.size) - 1)
        if not low <= value <= high:
            raise LaunchError(f"{what}: {value} does not fit {p.size} bytes")
        return ctypes.create_string_buffer(
            (value % 2 ** (8 * p.size)).to_bytes(p.size, "little"), p.size
        )
    if isinstance(value, float) and p.kind == "f" and p.size == 8:
        return ctypes.c_double(value)
    if isinstance(value, np.generic | np.ndarray) and p.kind != "p":
        dtype = np.asarray(value).dtype
        same = {"f": "f", "i": "iu", "u": "iu", "b": "b", "s": "Vfc"}[p.kind]
        if dtype.kind in same and np.asarray(value).nbytes == p.size:
            return ctypes.create_string_buffer(np.asarray(value).tobytes(), p.size)
    how = {
        "f": f"np.float{8 * p.size}",
        "i": f"np.int{8 * p.size}",
        "u": f"np.uint{8 * p.size}",
        "b": "np.bool_",
    }
    want = f"{how.get(p.kind, 'a struct')}, {p.size} bytes"
    raise LaunchError(f"{what}: want {want}, got {type(value).__name__} {value!r}"[:300])
