"""A launch that is watched: its arrays moved to where every wrong index shows, and what was seen.

Owns: the structs of runtime/watch.h, the layout of a checked launch, reading back. Findings get
their words in findings.py, counters in counters.py. Read launching.py before.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import cudasim.launching as launching
import cudasim.symbols as symbols
from cudasim.arrays import Allocation, ndarray
from cudasim.errors import CUDADriverError, LaunchError
from cudasim.geometry import Geometry, pack
from cudasim.library import Copy, Library, Outcome, Param

GLOBAL, SHARED, CONSTANT = range(3)
LEAST_SLOT_BITS = 18  # arrays are at least this far apart; 34, where the system grants it


class RegionRow(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("low", ctypes.c_size_t),
        ("n_bytes", ctypes.c_size_t),
        ("element", ctypes.c_uint32),
        ("n_dims", ctypes.c_uint32),
        ("dims", ctypes.c_uint32 * 4),
        ("space", ctypes.c_uint8),
        ("is_const", ctypes.c_uint8),
        ("cells", ctypes.c_void_p),
        ("written", ctypes.c_void_p),
    )


class FindingRow(ctypes.Structure):
    _fields_ = (
        ("kind", ctypes.c_uint8),
        ("access", ctypes.c_uint8),
        ("other_access", ctypes.c_uint8),
        ("n_bytes", ctypes.c_uint8),
        ("region", ctypes.c_int32),
        ("offset", ctypes.c_int64),
        ("block", ctypes.c_int64),
        ("other_block", ctypes.c_int64),
        ("thread", ctypes.c_int32),
        ("other_thread", ctypes.c_int32),
        ("pc", ctypes.c_void_p),
        ("other_pc", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("mask", ctypes.c_uint32),
        ("lane", ctypes.c_uint32),
        ("line", ctypes.c_int32),
        ("address", ctypes.c_uint64),
        ("text", ctypes.c_char * 96),
    )


class SiteRow(ctypes.Structure):
    _fields_ = (
        ("pc", ctypes.c_void_p),
        ("region", ctypes.c_int32),
        ("access", ctypes.c_uint8),
        ("space", ctypes.c_uint8),
        ("size", ctypes.c_uint8),
        ("is_step", ctypes.c_uint8),
        ("requests", ctypes.c_int64),
        ("lanes", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
        ("sectors", ctypes.c_int64),
        ("least_sectors", ctypes.c_int64),
        ("wavefronts", ctypes.c_int64),
        ("least_wavefronts", ctypes.c_int64),
        ("possible", ctypes.c_int64),
    )


class TouchRow(ctypes.Structure):
    _fields_ = (
        ("offset", ctypes.c_int64),
        ("region", ctypes.c_int32),
        ("block", ctypes.c_int32),
        ("thread", ctypes.c_uint16),
        ("site", ctypes.c_uint16),
        ("n_bytes", ctypes.c_uint8),
        ("access", ctypes.c_uint8),
    )


@dataclass(frozen=True)
class Region:
    """An array or variable that a kernel touched, with the sectors (32 bytes) it read and wrote."""

    name: str
    space: int
    n_bytes: int
    element: int
    dims: tuple[int, ...]
    sectors_read: int = 0
    sectors_written: int = 0

    def cell(self, offset: int) -> str:
        """What lies at an offset, as the source would write it: ``As[0][1]``."""
        at, rest = divmod(offset, self.element)
        if not self.dims:
            index = "" if self.n_bytes == self.element and at == 0 else f"[{at}]"
        elif 0 <= offset < self.n_bytes:
            index = "".join(f"[{i}]" for i in np.unravel_index(at, self.dims))
        else:
            row = int(np.prod(self.dims[1:], dtype=np.int64))
            inner = "".join(f"[{i}]" for i in np.unravel_index(at % row, self.dims[1:]) if row > 1)
            index = f"[{at // row}]{inner}"
        return f"{self.name}{index}" + (f" (byte {rest} of it)" if rest else "")


@dataclass(frozen=True)
class Seen:
    """What a watched launch left, with lines in place of addresses. ``failure``: what ended it."""

    regions: tuple[Region, ...]
    findings: tuple[tuple[FindingRow, int, int], ...]  # row, its line, the other's line
    sites: tuple[tuple[SiteRow, int], ...]
    trace: Sequence[TouchRow]
    n_barriers: int
    n_warp_operations: int
    failure: CUDADriverError | None


def watch(
    name: str, library: Library, geometry: Geometry, params: Sequence[Param], args: Sequence,
    *, checking: bool, profiling: bool, lockstep: bool = False,
) -> Seen:  # fmt: skip
    """Runs a launch in the checked build; the arrays end as they would after any launch."""
    modes = {"checking": checking, "profiling": profiling, "lockstep": lockstep}
    packed = pack(name, params, args)  # for its checks alone: the addresses come anew below
    copy = library.copies[0]
    with copy.lock:
        declare(copy)
        placed = place(copy, params, args)
        try:
            for i, (p, a) in enumerate(zip(params, args, strict=True)):
                if p.kind == "p" and a is not None:
                    low, root = placed[id(a._root)][:2]
                    packed[i] = ctypes.c_void_p(low + a._host.ctypes.data - root.host.ctypes.data)
            failure = execute(name, library, copy, geometry, packed, modes)
            seen = collect(library, copy, failure)
            bring_back(copy, placed)
        finally:
            copy.dll.cudasim_release()
    return seen


def declare(copy: Copy) -> None:
    dll = copy.dll
    dll.cudasim_arena.restype = ctypes.c_void_p
    dll.cudasim_region.restype = ctypes.POINTER(RegionRow)
    dll.cudasim_findings.restype = ctypes.POINTER(FindingRow)
    dll.cudasim_sites.restype = ctypes.POINTER(SiteRow)
    dll.cudasim_trace.restype = ctypes.POINTER(TouchRow)
    dll.cudasim_touched.restype = ctypes.c_int64


def place(copy: Copy, params: Sequence[Param], args: Sequence) -> dict[int, tuple]:
    """Copies each array into a slot; per allocation: address, itself, flags, number, const."""
    roots: dict[int, tuple[Allocation, list[Param]]] = {}
    for p, a in zip(params, args, strict=True):
        if isinstance(a, ndarray):
            roots.setdefault(id(a._root), (a._root, []))[1].append(p)
    bits = ctypes.c_uint()
    n_slots = max(1, len(roots))
    largest = max([r.host.nbytes for r, _ in roots.values()], default=0)
    least = max(LEAST_SLOT_BITS, int(largest).bit_length() + 2)
    arena = copy.dll.cudasim_arena(n_slots, least, ctypes.byref(bits))
    if not arena:
        raise LaunchError(f"no memory to check arrays of {largest} bytes")
    rows = (RegionRow * (n_slots + len(copy.variables)))()
    placed: dict[int, tuple] = {}
    for i, (key, (root, users)) in enumerate(roots.items()):
        low = arena + (i << bits.value) + (1 << bits.value - 2)
        ctypes.memmove(low, root.host.ctypes.data, root.host.nbytes)
        is_const = all(p.is_const for p in users)
        flags = root.written
        rows[i] = RegionRow(
            name=users[0].name.encode(), low=low, n_bytes=root.host.nbytes,
            element=max(1, users[0].element_size), space=GLOBAL, is_const=is_const,
            written=flags.ctypes.data if flags is not None else None,
        )  # fmt: skip
        placed[key] = (low, root, flags, i, is_const)
    place_variables(copy, rows, n_slots)
    return placed


def place_variables(copy: Copy, rows: ctypes.Array, n: int) -> None:
    shared = []
    for v in copy.variables:
        row = RegionRow(
            name=v.name.encode(), low=v.address, n_bytes=v.n_bytes, element=v.element_size,
            n_dims=len(v.dims), space=CONSTANT if v.space == "c" else GLOBAL,
            is_const=v.space == "c",
        )  # fmt: skip
        row.dims[: len(v.dims)] = v.dims
        if v.space == "s":
            shared.append(row)
        else:
            rows[n], n = row, n + 1
    copy.held = (rows, shared)  # their names are read as long as the launch lasts
    if copy.dll.cudasim_regions(rows, n):
        raise LaunchError("no memory for what the sanitizer notes")
    for row in shared:
        copy.dll.cudasim_shared_region(ctypes.byref(row))


def execute(
    name: str, library: Library, copy: Copy, geometry: Geometry, packed: Sequence,
    modes: dict[str, int],
) -> CUDADriverError | None:  # fmt: skip
    outcome, next_block = Outcome(), ctypes.c_int64(0)
    pointers = (ctypes.c_void_p * max(1, len(packed)))(
        *[ctypes.cast(ctypes.byref(p), ctypes.c_void_p) for p in packed]
    )
    launch = launching.describe(copy, name, geometry, pointers, next_block, **modes)
    launching.together([copy], [launch], [outcome], geometry)
    launching.show(copy.printed())
    if outcome.kind == launching.DONE:
        return None
    failure = launching.failure(name, library, copy, outcome, geometry)
    if not isinstance(failure, CUDADriverError):
        raise failure
    return failure


def collect(library: Library, copy: Copy, failure: CUDADriverError | None) -> Seen:
    """Reads all that the runtime holds, and finds the lines in one go."""
    n, barriers, operations = ctypes.c_int(), ctypes.c_int64(), ctypes.c_int64()
    rows = copy.dll.cudasim_findings(ctypes.byref(n))
    findings = [FindingRow.from_buffer_copy(rows[i]) for i in range(n.value)]
    rows = copy.dll.cudasim_sites(ctypes.byref(n), ctypes.byref(barriers), ctypes.byref(operations))
    sites = [SiteRow.from_buffer_copy(rows[i]) for i in range(n.value)]
    rows = copy.dll.cudasim_trace(ctypes.byref(n))
    trace = _copied(rows, n.value)
    for s in sites:  # the call that marks a step has no line: what follows it has
        s.pc += s.is_step
    wanted = {pc for f in findings for pc in (f.pc, f.other_pc)} | {s.pc for s in sites}
    known = sorted(pc for pc in wanted if pc)
    base = copy.base
    found = symbols.lines(library.path, [pc - base - 1 for pc in known])
    lines = {None: 0, **dict(zip(known, found, strict=True))}
    return Seen(
        regions=tuple(regions(copy)),
        findings=tuple((f, f.line or lines[f.pc], lines[f.other_pc]) for f in findings),
        sites=tuple((s, lines[s.pc]) for s in sites),
        trace=trace,
        n_barriers=barriers.value,
        n_warp_operations=operations.value,
        failure=failure,
    )


def _copied(rows, n: int) -> Sequence[TouchRow]:
    """An array of the runtime's; rows become objects where one asks for them, as there are many."""
    return (TouchRow * n).from_buffer_copy(ctypes.string_at(rows, n * ctypes.sizeof(TouchRow)))


def regions(copy: Copy):
    i = 0
    while row := copy.dll.cudasim_region(i):
        r = row.contents
        touched = [copy.dll.cudasim_touched(i, k) if r.space == GLOBAL else 0 for k in (1, 2)]
        yield Region(
            (r.name or b"").decode(), r.space, r.n_bytes, max(1, r.element),
            tuple(r.dims[: r.n_dims]), *touched,
        )  # fmt: skip
        i += 1


def bring_back(copy: Copy, placed: dict[int, tuple]) -> None:
    """Copies the arrays back, and remembers which bytes of fresh memory are written by now."""
    for low, root, flags, number, is_const in placed.values():
        if is_const:
            continue
        ctypes.memmove(root.host.ctypes.data, low, root.host.nbytes)
        if flags is not None:
            copy.dll.cudasim_written(number, flags.ctypes.data_as(ctypes.c_void_p))
            root.written = None if flags.all() else flags
