"""One launch as the sanitizer and the counters saw it: the data that reports are written from.

Owns: Observation, its heading, a row of its table of accesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cudasim.counters import Access, Counters
from cudasim.findings import Finding
from cudasim.geometry import Geometry
from cudasim.watching import Region, TouchRow


@dataclass(frozen=True)
class Observation:
    """One launch as the sanitizer and the counters saw it.

    ``findings`` is empty where the launch was clean; ``counters`` counts (zero where not profiled).
    """

    name: str
    code: str
    geometry: Geometry
    findings: tuple[Finding, ...]
    counters: Counters
    regions: tuple[Region, ...]
    trace: Sequence[TouchRow]
    profiled: bool

    @property
    def clean(self) -> bool:
        """True where the sanitizer found nothing."""
        return not self.findings

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of what was found, each once, in order."""
        return tuple(dict.fromkeys(f.kind for f in self.findings))

    @property
    def traffic_factor(self) -> float:
        """Bytes moved for each byte that had to be: 1 is the least."""
        least = self.counters.least_bytes
        return self.counters.moved_bytes / least if least else 1.0


def heading(seen: Observation) -> str:
    """One line: what was launched and what came of it."""
    g, b = seen.geometry.grid, seen.geometry.block
    n = len(seen.findings)
    said = "clean" if seen.clean else f"{n} finding{'s' * (n > 1)}"
    shared = f", {seen.geometry.shared_bytes} bytes shared" if seen.geometry.shared_bytes else ""
    return f"{seen.name}: grid {g}, block {b}{shared}: {said}"


def access_row(a: Access) -> tuple[str, ...]:
    """The cells of one access in the table, also on the page."""
    shared = a.space == "shared"
    return (
        str(a.line),
        ("__shared__ " if shared else "") + a.array,
        a.access,
        str(a.size),
        str(a.requests),
        "" if shared else f"{a.sectors / a.requests:.1f}",
        "" if shared else f"{a.efficiency:.0%}",
        f"{a.conflict_ways:.1f}" if shared else "",
    )
