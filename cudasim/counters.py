"""What a launch costs, line by line: transactions, bank conflicts, lanes that do nothing.

Owns: the figures that are derived from what runtime/counters.cpp counted. Sectors are 32 bytes of
global memory; caches are left out, so a sector counts each time a warp asks for it. A request is
what the source asks for: ``float4 v = p[i]`` is one, ``p[i].x + p[i].y`` two, though nvcc may join
these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from cudasim.watching import GLOBAL, SHARED, Region, Seen

SECTOR_BYTES = 32
ACCESSES = ("read", "write", "atomic")


@dataclass(frozen=True)
class Access:
    """What one line does to one array.

    ``requests``: by whole warps. ``sectors``: of 32 bytes, moved for them; ``least_sectors``: that
    would hold the bytes asked for. ``wavefronts``: of shared memory; ``least_wavefronts``: without
    bank conflicts. ``lanes``: threads that took part, over all requests.
    """

    line: int
    array: str
    access: str
    space: str
    size: int
    requests: int
    lanes: int
    sectors: int
    least_sectors: int
    wavefronts: int
    least_wavefronts: int

    @property
    def efficiency(self) -> float:
        """Of what is moved, the part that was asked for: 1 is coalesced, 1/8 each lane alone."""
        return self.least_sectors / self.sectors if self.sectors else 1.0

    @property
    def conflict_ways(self) -> float:
        """Wavefronts a request: 1 without bank conflicts, 32 where all lanes hit one bank."""
        return self.wavefronts / self.least_wavefronts if self.least_wavefronts else 1.0


@dataclass(frozen=True)
class Step:
    """How many of a warp's lanes run a line: ``lanes`` of ``possible``, over ``n`` runs."""

    line: int
    n: int
    lanes: int
    possible: int

    @property
    def active(self) -> float:
        return self.lanes / self.possible if self.possible else 1.0


@dataclass(frozen=True)
class Traffic:
    """Bytes of global memory that an array costs, and the least that any kernel would move: each
    sector that is read or written at all, once."""

    array: str
    read_bytes: int
    written_bytes: int
    least_read_bytes: int
    least_written_bytes: int


@dataclass(frozen=True)
class Counters:
    """All counts of a launch."""

    accesses: tuple[Access, ...]
    steps: tuple[Step, ...]
    traffic: tuple[Traffic, ...]
    n_barriers: int
    n_warp_operations: int

    @property
    def moved_bytes(self) -> int:
        """Bytes moved between the processor and global memory."""
        return sum(t.read_bytes + t.written_bytes for t in self.traffic)

    @property
    def least_bytes(self) -> int:
        """The least that any kernel could move for the same arrays."""
        return sum(t.least_read_bytes + t.least_written_bytes for t in self.traffic)

    @property
    def bank_conflicts(self) -> int:
        """Wavefronts of shared memory beyond one a request."""
        return sum(a.wavefronts - a.least_wavefronts for a in self.accesses)

    @property
    def coalescing(self) -> float:
        """Sectors that were asked for, of those moved; 1 is the best."""
        moved = sum(a.sectors for a in self.accesses)
        return sum(a.least_sectors for a in self.accesses) / moved if moved else 1.0

    @property
    def active(self) -> float:
        """The part of a warp's lanes that do something, over all steps."""
        possible = sum(s.possible for s in self.steps)
        return sum(s.lanes for s in self.steps) / possible if possible else 1.0


def counters(seen: Seen) -> Counters:
    """The counts of a watched launch; all zero where it was not profiled."""
    return Counters(
        accesses=tuple(accesses(seen)),
        steps=tuple(steps(seen)),
        traffic=tuple(traffic(seen)),
        n_barriers=seen.n_barriers,
        n_warp_operations=seen.n_warp_operations,
    )


def name(regions: tuple[Region, ...], i: int) -> str:
    return regions[i].name if i >= 0 else "several arrays"


def accesses(seen: Seen) -> Iterator[Access]:
    """One row for each line, array and kind of access, in the order of lines."""
    rows: dict[tuple, list[int]] = defaultdict(lambda: [0] * 6)
    for s, line in seen.sites:
        if s.is_step or not s.requests or s.space not in (GLOBAL, SHARED):
            continue
        key = (line, name(seen.regions, s.region), s.access, s.space, s.size)
        counts = (s.requests, s.lanes, s.sectors, s.least_sectors, s.wavefronts, s.least_wavefronts)
        rows[key] = [a + b for a, b in zip(rows[key], counts, strict=True)]
    for (line, array, access, space, size), counts in sorted(rows.items()):
        where = "shared" if space == SHARED else "global"
        yield Access(line, array, ACCESSES[access], where, size, *counts)


def steps(seen: Seen) -> Iterator[Step]:
    rows: dict[int, list[int]] = defaultdict(lambda: [0] * 3)
    for s, line in seen.sites:
        if s.is_step and s.requests and line:
            rows[line] = [
                a + b for a, b in zip(rows[line], (s.requests, s.lanes, s.possible), strict=True)
            ]
    for line, counts in sorted(rows.items()):
        yield Step(line, *counts)


def traffic(seen: Seen) -> Iterator[Traffic]:
    """Per array of global memory. An atomic reads and writes."""
    read: dict[str, int] = defaultdict(int)
    written: dict[str, int] = defaultdict(int)
    for s, _ in seen.sites:
        if s.is_step or s.space != GLOBAL or not s.requests:
            continue
        array = name(seen.regions, s.region)
        read[array] += s.sectors * SECTOR_BYTES * (s.access != 1)
        written[array] += s.sectors * SECTOR_BYTES * (s.access != 0)
    least = {r.name: r for r in seen.regions if r.space == GLOBAL}
    for array in [*least, *sorted({*read, *written} - set(least))]:
        r = least.get(array)
        if not (read[array] or written[array]):
            continue
        yield Traffic(
            array, read[array], written[array],
            (r.sectors_read if r else 0) * SECTOR_BYTES,
            (r.sectors_written if r else 0) * SECTOR_BYTES,
        )  # fmt: skip
