"""A second copy of the weights, laid out for speed: in strips, in memory of large pages.

Owns: which matrices are copied, the memory they lie in, and its size. Must not know: kernels, the
graph, formats' layouts. Read before: ``model.py``, ``strips.pyx``.

A file that is mapped costs no time to open and is shared by every process that maps it; its rows
are brought side by side each time they are read. The copy costs as much memory again, and the time
to write it; then a token is read from memory in order, through pages of 2 MiB in place of 4 KiB.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

import numpy as np

import minengine.strips as strips
from minengine.model import Model, Tensor

PAGE = 2 << 20  # bytes of a large page of x86-64 and of 64-bit Arm
LINE = 64  # bytes of a cache line: where a matrix may begin


def repacked(model: Model, *, n_threads: int = 1) -> Model:
    """The model with ``Tensor.strips`` beside every matrix that the fast mode multiplies by.

    The model itself where the portable variant runs, which reads no strips. The embedding's rows
    stay in the file, of which a token needs one.
    """
    if strips.CHOSEN == "portable":
        return model
    memory, copies, at = large_pages(room(model)), {}, 0
    for t in _coded(model):
        out = memory[at : at + _bytes(t)].reshape(-1, t.data.shape[1])
        strips.interleave(t.data, t.format, out, n_threads=n_threads)
        out.flags.writeable = False
        copies[id(t)] = replace(t, strips=out)
        at += _room(t)
    layers = tuple(type(layer)(**{
        name: copies.get(id(value), value) for name, value in vars(layer).items()
    }) for layer in model.layers)  # fmt: skip
    return replace(model, layers=layers, output=copies.get(id(model.output), model.output))


def room(model: Model) -> int:
    """Bytes that copies take, whether they are made or not; none for the portable variant."""
    return 0 if strips.CHOSEN == "portable" else sum(map(_room, _coded(model)))


def repacked_bytes(model: Model) -> int:
    """Bytes that the copies take which this model has."""
    return sum(_room(t) for t in _coded(model) if t.strips is not None)


def _coded(model: Model) -> Iterable[Tensor]:
    """Every matrix that the fast mode rounds activations for."""
    for layer in model.layers:
        yield from (t for t in vars(layer).values() if isinstance(t, Tensor) and t.format.has_codes)
    if model.output.format.has_codes:
        yield model.output


def _bytes(t: Tensor) -> int:
    return strips.strip_rows(t.shape[0]) * t.data.shape[1]


def _room(t: Tensor) -> int:
    return -(-_bytes(t) // LINE) * LINE


def large_pages(n_bytes: int) -> np.ndarray:
    """Fresh memory from a large page's first byte on, in large pages where the system has them."""
    # private: shared memory has no large pages unless the system is told so
    private = (
        {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    )
    room = mmap.mmap(-1, n_bytes + PAGE, **private)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a kernel without them: small pages, all else the same
            room.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(room, np.uint8)
    first = -whole.ctypes.data % PAGE
    return whole[first : first + n_bytes]
