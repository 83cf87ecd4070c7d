"""What the sanitizer found, in words.

Owns: Finding, its kinds, the sentence for each. Must not know: how it was found
(runtime/sanitizer.cpp) and how it is shown (report.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cudasim.geometry import Geometry
from cudasim.launching import OPERATIONS, place
from cudasim.watching import GLOBAL, SHARED, FindingRow, Region, Seen

# In the order of runtime/watch.h; several of the runtime's kinds are one to a reader.
KINDS = (
    "out-of-bounds",
    "uninitialised-read",
    "race",
    "divergent-barrier",
    "divergent-barrier",
    "wrong-mask",
    "wrong-mask",
    "wrong-mask",
    "misaligned",
    "write-to-const",
    "wild-pointer",
    "out-of-bounds",
    "division-by-zero",
)
(
    BOUNDS, UNWRITTEN, RACE, BARRIER, RETURNED, MASK, LANE, STUCK, MISALIGNED, CONST, WILD, INDEX,
    DIVISION,
) = range(13)  # fmt: skip
READ, WRITE, ATOMIC = range(3)
DOES = ("reads", "writes", "atomically updates")
DID = ("read", "wrote", "atomically updated")
AT_BARRIER = 255
BARRIER_STATE = 2


@dataclass(frozen=True)
class Finding:
    """One fault: ``kind`` of KINDS (or "fault"), the line it shows at, a sentence, how often.

    ``other_line``: of the second access or thread, 0 where there is none.
    """

    kind: str
    line: int
    message: str
    count: int = 1
    other_line: int = 0


def findings(seen: Seen, geometry: Geometry) -> tuple[Finding, ...]:
    """All findings of a launch, in the order in which they came."""
    found = list(worded(seen, geometry))
    if seen.failure is not None and not found:
        found.append(Finding("fault", seen.failure.line, str(seen.failure)))
    return tuple(found)


def worded(seen: Seen, geometry: Geometry) -> Iterator[Finding]:
    known: dict[tuple[str, int, int], int] = {}
    racing = {(f.region, n) for f, *lines in seen.findings if f.kind == RACE for n in lines}
    for row, line, other in seen.findings:
        if row.kind == BARRIER and line == other:
            continue  # one barrier of the source that the compiler wrote twice
        if row.kind == UNWRITTEN and (row.region, line) in racing:
            continue  # unwritten only because the race went this way
        kind = KINDS[row.kind]
        if (kind, line, other) in known:
            continue
        known[kind, line, other] = 1
        region = seen.regions[row.region] if row.region >= 0 else None
        yield Finding(
            kind, line, sentence(row, line, other, region, geometry), row.count, other
        )  # fmt: skip


def thread(row: FindingRow, geometry: Geometry) -> str:
    return f"thread {place(row.thread, geometry.block)} of block {place(row.block, geometry.grid)}"


def other(row: FindingRow, geometry: Geometry) -> str:
    who = f"thread {place(row.other_thread, geometry.block)}"
    if row.kind == RACE and row.other_block != row.block:
        return f"{who} of block {place(row.other_block, geometry.grid)}"
    return who


def named(region: Region, offset: int) -> str:
    return f"{'__shared__ ' if region.space == SHARED else ''}{region.cell(offset)}"


def sentence(
    row: FindingRow, line: int, other_line: int, region: Region | None, geometry: Geometry
) -> str:
    """What happened, who did it, where."""
    who = thread(row, geometry)
    if row.kind == BOUNDS and region is not None:
        return (
            f"{who} {DOES[row.access]} {named(region, row.offset)} at line {line}; {room(region)}"
        )
    if row.kind == INDEX:
        return index_sentence(row, line, who, region)
    if row.kind == DIVISION:
        return f"{who} divides an integer by zero at line {line}"
    if row.kind == UNWRITTEN and region is not None:
        return (
            f"{who} {DOES[row.access]} {named(region, row.offset)} at line {line}; nobody wrote it"
        )
    if row.kind == RACE and region is not None:
        return race_sentence(row, line, other_line, region, geometry)
    if row.kind == BARRIER:
        return (
            f"{who} waits at the barrier of line {line}, {other(row, geometry)} at that of line "
            f"{other_line}; all threads of a block must come to the same one"
        )
    if row.kind == RETURNED:
        return (
            f"{who} waits at the barrier of line {line}; {other(row, geometry)} has returned "
            "without coming to it"
        )
    if row.kind in (MASK, LANE, STUCK):
        return mask_sentence(row, line, other_line, geometry)
    if row.kind == MISALIGNED:
        what = named(region, row.offset) if region else f"address {row.address:#x}"
        kind = re.sub(r"'|\bconst\b |\bstruct\b ", "", row.text.decode("utf-8", "replace"))
        return (
            f"{who} uses {what} as {kind} at line {line}; its address is no multiple of {row.lane}"
        )
    if row.kind == CONST and region is not None:
        return f"{who} {DOES[row.access]} {named(region, row.offset)} at line {line}; it is const"
    where = "a null pointer" if row.address < 1 << 16 else f"address {row.address:#x}"
    return f"{who} {DOES[row.access]} {where} at line {line}; no array lies there"


def room(region: Region) -> str:
    if region.dims:
        return f"it is declared [{']['.join(map(str, region.dims))}]"
    n = region.n_bytes // region.element
    return f"{region.name} has {n} element{'s' * (n != 1)}"


def index_sentence(row: FindingRow, line: int, who: str, region: Region | None) -> str:
    size = re.search(r"\[(\d+)\]", row.text.decode("utf-8", "replace"))
    name = f"{DOES[row.access]} __shared__ {region.name}" if region else "uses an array"
    index = row.address - (1 << 64) if row.address >> 63 else row.address
    has = f"that dimension has {size.group(1)}" if size else "that dimension is smaller"
    return f"{who} {name} with index {index} at line {line}; {has}"


def race_sentence(
    row: FindingRow, line: int, other_line: int, region: Region, geometry: Geometry
) -> str:
    if row.other_block != row.block:
        order = "blocks run in any order"
    elif region.space == GLOBAL or row.thread // 32 != row.other_thread // 32:
        order = "no barrier orders the two"
    else:
        order = "neither a barrier nor __syncwarp orders the two"
    return (
        f"{thread(row, geometry)} {DOES[row.access]} {named(region, row.offset)} at line {line}; "
        f"{other(row, geometry)} {DID[row.other_access]} it at line {other_line} and {order}"
    )


def mask_sentence(row: FindingRow, line: int, other_line: int, geometry: Geometry) -> str:
    call = f"{OPERATIONS[row.access]} at line {line} with mask {row.mask:#010x}"
    who = thread(row, geometry)
    if row.kind == MASK:
        return f"{who} calls {call}, which does not name its own lane, {row.lane}"
    if row.kind == LANE:
        gone = "has returned" if row.other_thread >= 0 else "is not in the mask or not in the block"
        return f"{who} reads lane {row.lane} in {call}; that lane {gone}, so the value is undefined"
    if row.other_access == AT_BARRIER:
        elsewhere = f"__syncthreads at line {other_line}"
    else:
        elsewhere = f"{OPERATIONS[row.other_access]} with mask {row.lane:#010x}, line {other_line}"
    return (
        f"{who} waits in {call}; {other(row, geometry)}, which the mask names, waits at {elsewhere}"
    )
