"""A compiled kernel in this process: its tables, its copies, its variables.

Owns: the structs that Python and the runtime share (runtime/abi.h, include/entry.h), loading. A
library is loaded once for each thread of the operating system that runs blocks, each time from a
file of its own, so that every copy has its own static memory: that is a block's shared memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import tempfile
import threading
import weakref
from dataclasses import dataclass
from pathlib import Path

import cudasim.symbols as symbols


class Index3(ctypes.Structure):
    _fields_ = (("x", ctypes.c_uint), ("y", ctypes.c_uint), ("z", ctypes.c_uint))


class ParamRow(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_char),
        ("element", ctypes.c_char),
        ("is_const", ctypes.c_char),
        ("size", ctypes.c_uint),
        ("element_size", ctypes.c_uint),
        ("component_size", ctypes.c_uint),
    )


class KernelRow(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("call", ctypes.c_void_p),
        ("params", ctypes.POINTER(ParamRow)),
        ("n_params", ctypes.c_int),
        ("max_threads", ctypes.c_int),
    )


class VariableRow(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
        ("n_bytes", ctypes.c_size_t),
        ("element_size", ctypes.c_int),
        ("n_dims", ctypes.c_int),
        ("dims", ctypes.c_uint * 4),
        ("space", ctypes.c_char),
    )


class Launch(ctypes.Structure):
    _fields_ = (
        ("call", ctypes.c_void_p),
        ("arguments", ctypes.c_void_p),
        ("grid", Index3),
        ("block", Index3),
        ("dynamic_bytes", ctypes.c_size_t),
        ("next_block", ctypes.POINTER(ctypes.c_int64)),
        ("n_blocks", ctypes.c_int64),
        ("stacks", ctypes.c_void_p),
        ("stack_bytes", ctypes.c_size_t),
        ("checking", ctypes.c_int),
        ("profiling", ctypes.c_int),
        ("lockstep", ctypes.c_int),
    )


class Waiter(ctypes.Structure):
    _fields_ = (
        ("thread", ctypes.c_uint16),
        ("state", ctypes.c_uint8),
        ("op", ctypes.c_uint8),
        ("mask", ctypes.c_uint32),
        ("pc", ctypes.c_void_p),
    )


class Outcome(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_int),
        ("line", ctypes.c_int),
        ("block", ctypes.c_int64),
        ("n_done", ctypes.c_int64),
        ("thread", ctypes.c_int),
        ("n_waiters", ctypes.c_int),
        ("signal", ctypes.c_int),
        ("address", ctypes.c_void_p),
        ("pc", ctypes.c_void_p),
        ("text", ctypes.c_char * 256),
        ("file", ctypes.c_char * 128),
        ("function", ctypes.c_char * 64),
        ("waiters", Waiter * 1024),
    )


@dataclass(frozen=True)
class Param:
    """A parameter of a kernel: letters and sizes as in include/entry.h, its name in the source."""

    name: str
    kind: str
    element: str
    is_const: bool
    size: int
    element_size: int
    component_size: int


@dataclass(frozen=True)
class Variable:
    """A variable of the module, in one copy of it. ``space``: d device, c constant, s shared."""

    name: str
    address: int
    n_bytes: int
    element_size: int
    dims: tuple[int, ...]
    space: str


class Copy:
    """One loaded copy of a library."""

    def __init__(self, path: str, n_rows: int) -> None:
        self.path = path
        self.dll = ctypes.CDLL(path, mode=os.RTLD_LOCAL | os.RTLD_NOW)
        self.dll.cudasim_printed.restype = ctypes.c_char_p
        self.lock = threading.Lock()
        self.held: tuple = ()
        self.kernels = {row.name.decode(): row for row in self._rows(n_rows)}
        self.variables = tuple(self._variables())
        self.launch = ctypes.cast(self.dll.cudasim_launch, ctypes.c_void_p)

    def _rows(self, n: int):
        """Rows of the kernels that the preprocessor left in the source."""
        for i in range(n):
            with contextlib.suppress(ValueError):
                yield KernelRow.in_dll(self.dll, f"cudasim_kernel_{i}")

    def _variables(self):
        for row in (VariableRow * 4096).in_dll(self.dll, "cudasim_variables"):
            if not row.name:
                return
            dims = tuple(row.dims[: row.n_dims])
            yield Variable(
                row.name.decode(), row.address, row.n_bytes, row.element_size, dims,
                row.space.decode(),
            )  # fmt: skip

    @property
    def base(self) -> int:
        """Where the copy's code begins: addresses minus this are the file's."""
        return image_base(ctypes.cast(self.dll.cudasim_launch, ctypes.c_void_p).value)

    def printed(self) -> str:
        """What the copy's kernels have printed since the last call."""
        return self.dll.cudasim_printed().decode("utf-8", "replace")


class Library:
    """A compiled library and its copies, the first of which is loaded at once."""

    def __init__(self, path: Path, n_rows: int) -> None:
        self.path = path
        self.n_rows = n_rows
        self.copies = [Copy(str(path), n_rows)]
        self._lock = threading.Lock()
        self._static: dict[str, int] = {}

    def static_shared_bytes(self, kernel: str) -> int:
        """Bytes of a kernel's static shared memory (0 where nm is not installed)."""
        if kernel not in self._static:
            function = kernel.split("<")[0].split("::")[-1]
            self._static[kernel] = symbols.static_bytes(self.path, function)
        return self._static[kernel]

    def copy(self, number: int) -> Copy:
        """The copy of that number, loaded where it is not yet."""
        with self._lock:
            while len(self.copies) <= number:
                handle, name = tempfile.mkstemp(suffix=".so", prefix="cudasim-copy-")
                os.close(handle)
                shutil.copyfile(self.path, name)
                self.copies.append(Copy(name, self.n_rows))
                for old, new in zip(
                    self.copies[0].variables, self.copies[-1].variables, strict=True
                ):
                    ctypes.memmove(new.address, old.address, old.n_bytes)
                os.unlink(name)  # it stays mapped
        return self.copies[number]

    def spread(self, variable: Variable) -> None:
        """Gives the first copy's value of a variable to all others."""
        for copy in self.copies[1:]:
            other = next(v for v in copy.variables if v.name == variable.name)
            ctypes.memmove(other.address, variable.address, variable.n_bytes)


class DlInfo(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("symbol", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


def image_base(address: int) -> int:
    """Where the library that holds an address was loaded (dladdr)."""
    info = DlInfo()
    found = ctypes.CDLL(None).dladdr(ctypes.c_void_p(address), ctypes.byref(info))
    return info.base if found else 0


_loaded: weakref.WeakValueDictionary[str, Library] = weakref.WeakValueDictionary()
_loading = threading.Lock()


def load(path: Path, n_rows: int) -> Library:
    """The library at a path; the same one while somebody uses it."""
    with _loading:
        library = _loaded.get(str(path))
        if library is None:
            library = _loaded[str(path)] = Library(path, n_rows)
        return library
