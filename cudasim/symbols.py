"""From an address in a compiled kernel to the line of the source.

Owns: the call of addr2line (it comes with g++; atos on macOS, llvm-symbolizer's twin with clang). A
function of our headers that was inlined is followed to the line of the source that called it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def lines(library: Path, offsets: Sequence[int]) -> list[int]:
    """The source's line for each offset from the library's start, 0 where it is not known."""
    if not offsets:
        return []
    tool = shutil.which("addr2line") or shutil.which("llvm-addr2line")
    if sys.platform == "darwin" or not tool:
        return [0] * len(offsets) if not shutil.which("atos") else apple(library, offsets)
    said = subprocess.run(
        [tool, "-a", "-i", "-e", str(library), *[hex(o) for o in offsets]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return by_address(said.stdout, len(offsets))


def static_bytes(library: Path, function: str) -> int:
    """Bytes of the static variables that a function declares: its static shared memory."""
    tool = shutil.which("nm") or shutil.which("llvm-nm")
    if not tool:
        return 0
    said = subprocess.run(
        [tool, "-S", "--defined-only", str(library)], capture_output=True, text=True, check=False
    )
    inside = re.compile(rf"_+ZZ(?:N\d\w*)?{len(function)}{function}[EI]")
    words = [line.split() for line in said.stdout.splitlines()]
    return sum(
        int(w[1], 16) for w in words if len(w) == 4 and w[2] in "bBdD" and inside.match(w[3])
    )


def by_address(text: str, n: int) -> list[int]:
    """Parses addr2line -a -i: an address, then one place for each function inlined there."""
    found: list[int] = []
    for line in text.splitlines():
        if line.startswith("0x"):
            found.append(0)
        elif found and not found[-1]:
            m = re.search(r"kernel\.cu:(\d+)", line)
            found[-1] = int(m.group(1)) if m else 0
    return found + [0] * (n - len(found))


def apple(library: Path, offsets: Sequence[int]) -> list[int]:
    said = subprocess.run(
        ["atos", "-i", "-o", str(library), "-offset", *[hex(o) for o in offsets]],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    blocks = (
        said.stdout.strip().split("\n\n") if "\n\n" in said.stdout else said.stdout.splitlines()
    )
    found = [re.search(r"kernel\.cu:(\d+)", b) for b in blocks]
    return [int(m.group(1)) if m else 0 for m in found] + [0] * (len(offsets) - len(found))
