"""Arrays that stand for a GPU's memory, with CuPy's names.

Owns: ndarray and the functions that make one. As on a GPU, such an array does not turn into a NumPy
array by itself: ``asnumpy`` or ``.get()`` copies it back, and NumPy's functions give arrays of this
kind. Memory from ``empty`` holds NaN (or 0xFF bytes), so that what nobody wrote shows.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin


class Allocation:
    """A piece of memory; views share it. ``written`` is None where all of it counts as written,
    else one flag a byte."""

    def __init__(self, host: np.ndarray, *, written: bool) -> None:
        self.host = host
        self.written = None if written else np.zeros(host.nbytes, np.uint8)


class ndarray(NDArrayOperatorsMixin):  # noqa: N801 - CuPy's name
    """An array in the simulated GPU's memory."""

    __array_priority__ = 100

    def __init__(self, shape, dtype=float, *, _host=None, _root=None, _in_place=False) -> None:
        if _root is None and not _in_place:
            self._host = apart(np.empty(shape, dtype) if _host is None else _host)
        else:
            self._host = _host
        if _root is None:
            poison(self._host) if _host is None else None
            _root = Allocation(base_of(self._host), written=_host is not None)
        self._root = _root

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    strides = property(lambda self: self._host.strides)
    flags = property(lambda self: self._host.flags)
    T = property(lambda self: self._view(self._host.T))

    @property
    def data(self) -> Pointer:
        """Where the array lies, as CuPy's ``.data.ptr``."""
        return Pointer(self._host.ctypes.data)

    def _view(self, host: np.ndarray) -> ndarray:
        if not isinstance(host, np.ndarray):
            return ndarray((), _host=np.asarray(host))
        same = np.may_share_memory(host, self._root.host)
        return ndarray((), _host=host, _root=self._root if same else None)

    def _flags(self) -> np.ndarray:
        """Of each element as many bytes as it has: 1 where one was written."""
        return np.ndarray(
            self.shape, f"V{self.itemsize}", self._root.written,
            self._host.ctypes.data - self._root.host.ctypes.data, self.strides,
        )  # fmt: skip

    def _changed(self, at=...) -> None:
        """Notes that the host or a kernel wrote these elements."""
        if self._root.written is None:
            return
        self._flags()[at] = np.void(b"\1" * self.itemsize)
        if self._root.written.all():
            self._root.written = None

    def _written(self) -> np.ndarray | None:
        """A flag for each byte, in the order of a copy; None where all of them were written."""
        if self._root.written is None:
            return None
        return np.frombuffer(self._flags().tobytes(), np.uint8)

    def get(self, out: np.ndarray | None = None) -> np.ndarray:
        """A copy in the host's memory."""
        if out is None:
            return self._host.copy()
        out[...] = self._host
        return out

    def set(self, values) -> None:
        """Copies values of the host into the array."""
        self._changed()
        self._host[...] = unwrap(values)

    def fill(self, value) -> None:
        self._changed()
        self._host.fill(unwrap(value))

    def item(self, *at):
        return self._host.item(*at)

    def reshape(self, *shape, **options) -> ndarray:
        return self._view(self._host.reshape(*shape, **options))

    def ravel(self) -> ndarray:
        return self._view(self._host.ravel())

    def transpose(self, *axes) -> ndarray:
        return self._view(self._host.transpose(*axes))

    def view(self, dtype) -> ndarray:
        return self._view(self._host.view(dtype))

    def astype(self, dtype, copy: bool = True) -> ndarray:
        return self._view(self._host.astype(dtype, copy=copy))

    def copy(self) -> ndarray:
        return ndarray((), _host=self._host)

    def __getitem__(self, at) -> ndarray:
        return self._view(self._host[unwrap(at)])

    def __setitem__(self, at, value) -> None:
        self._changed(unwrap(at))
        self._host[unwrap(at)] = unwrap(value)

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self):
        return (self._view(v) for v in self._host)

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __float__(self) -> float:
        return float(self._host)

    def __index__(self) -> int:
        return self._host.__index__()

    def __repr__(self) -> str:
        return repr(self._host)

    def __str__(self) -> str:
        return str(self._host)

    def __getattr__(self, name: str):
        if name.startswith("_") or not callable(getattr(np.ndarray, name, None)):
            raise AttributeError(f"cudasim.ndarray has no attribute {name!r}")
        return lambda *a, **k: wrap(getattr(self._host, name)(*unwrap(a), **unwrap(k)))

    def __array__(self, dtype=None, copy=None):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        for out in options.get("out", ()):
            out._changed() if isinstance(out, ndarray) else None
        result = getattr(ufunc, method)(*unwrap(inputs), **unwrap(options))
        out = options.get("out", (None,))[0]
        return out if out is not None else wrap(result)

    def __array_function__(self, function, types, args, options):
        return wrap(function(*unwrap(args), **unwrap(options)))


GAP_BYTES = 64 << 10


def apart(host: np.ndarray) -> np.ndarray:
    """A copy with room on both sides, so that an index a little off spoils nothing of Python's."""
    if host.ndim and host.flags.f_contiguous and not host.flags.c_contiguous:
        return apart(host.T).T
    try:
        memory = mmap.mmap(-1, host.nbytes + 2 * GAP_BYTES)
    except OSError:
        return host.copy()
    made = np.ndarray(host.shape, host.dtype, memory, GAP_BYTES)
    made[...] = host
    return made


class Pointer:
    """Where an array lies: ``ptr``, an address."""

    def __init__(self, ptr: int) -> None:
        self.ptr = ptr


def base_of(host: np.ndarray) -> np.ndarray:
    """The array that owns the memory of a view."""
    while isinstance(host.base, np.ndarray):
        host = host.base
    return host


def poison(host: np.ndarray) -> None:
    """Fills fresh memory with NaN, or with bytes 0xFF where the type has none."""
    if host.dtype.kind in "fc":
        host.fill(np.nan)
    elif host.dtype.kind in "iu":
        host.view(np.uint8).fill(0xFF) if host.ndim else host.fill(
            -1 if host.dtype.kind == "i" else np.iinfo(host.dtype).max
        )
    elif not host.dtype.hasobject:
        host.fill(0)


def unwrap(value):
    """The same with NumPy's arrays in place of ours, through tuples, lists and dicts."""
    if isinstance(value, ndarray):
        return value._host
    if isinstance(value, tuple | list):
        return type(value)(unwrap(v) for v in value)
    if isinstance(value, dict):
        return {k: unwrap(v) for k, v in value.items()}
    return value


def wrap(value):
    """The same with our arrays in place of NumPy's arrays and scalars."""
    if isinstance(value, np.ndarray | np.generic):
        return ndarray((), _host=np.asarray(value))
    if isinstance(value, tuple | list):
        return type(value)(wrap(v) for v in value)
    return value


def asarray(values, dtype=None, order=None) -> ndarray:
    """Copies values into the GPU's memory; an array that is there already stays the same."""
    if isinstance(values, ndarray) and dtype in (None, values.dtype):
        return values
    host = np.array(unwrap(values), dtype=dtype, order=order or "C")
    if host.dtype.hasobject:
        raise ValueError(f"dtype {host.dtype} is not supported")
    return ndarray((), _host=host)


def array(values, dtype=None, copy=True, order=None) -> ndarray:
    """Copies values into the GPU's memory, always."""
    made = asarray(values, dtype, order)
    return made.copy() if made is values and copy else made


def asnumpy(values, stream=None, order="C", out=None) -> np.ndarray:
    """A copy in the host's memory."""
    return values.get(out=out) if isinstance(values, ndarray) else np.asarray(values, order=order)


def ascontiguousarray(values, dtype=None) -> ndarray:
    """The array with its elements one after the other; a copy where they are not."""
    values = asarray(values, dtype)
    return (
        values
        if values.flags.c_contiguous
        else ndarray((), _host=np.ascontiguousarray(values._host))
    )


def empty(shape, dtype=float) -> ndarray:
    """Memory that nobody has written: NaN, or bytes 0xFF, and the sanitizer knows."""
    return ndarray(shape, dtype)


def empty_like(like, dtype=None) -> ndarray:
    """Memory that nobody has written, shaped like another array."""
    return ndarray(like.shape, dtype or like.dtype)


def from_numpy(name: str) -> Callable:
    """NumPy's function of that name, on arrays of ours."""
    function = getattr(np, name)

    def call(*args, **options):
        return wrap(function(*unwrap(args), **unwrap(options)))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = function.__doc__
    return call
