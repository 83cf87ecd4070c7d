"""Our corpus of kernels: how each is launched, and what must be found in it, from its comments.

``// launch grid=2 block=32 f40 o40 i40`` stands above each kernel: sizes, then its arguments.
``// finds KIND`` ends a line at which the sanitizer must find that, and it must find nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import cudasim as cp

HERE = Path(__file__).resolve().parent / "corpus"


@dataclass(frozen=True)
class Case:
    """One kernel of a file. ``finds``: (kind, line) pairs."""

    path: Path
    name: str
    launch: str
    finds: frozenset[tuple[str, int]]

    def __str__(self) -> str:
        return f"{self.path.parent.name}-{self.path.stem}-{self.name}"

    @property
    def sizes(self) -> tuple[tuple[int, ...], tuple[int, ...], int]:
        """Grid, block, bytes of dynamic shared memory."""
        given = dict(re.findall(r"(\w+)=([\d,]+)", self.launch))
        sizes = [tuple(map(int, given[k].split(","))) for k in ("grid", "block")]
        return sizes[0], sizes[1], int(given.get("shared", 0))

    def arguments(self) -> list:
        """Fresh arguments, the same at every call."""
        rng = np.random.default_rng(7)
        words = re.sub(r"\w+=[\d,]+", "", self.launch).split()
        return [argument(w[0], int(w[1:]) if w[1:].isdigit() else 0, rng) for w in words]


def argument(kind: str, n: int, rng: np.random.Generator):
    """f floats, o fresh floats, z zeros, u integers below n, b bytes, h fresh shorts, e fresh
    halves, r records, p fresh floats of which the first 5/8 are written, i an int, n null."""
    made = {
        "f": lambda: cp.asarray(rng.random(n, dtype=np.float32)),
        "o": lambda: cp.empty(n, np.float32),
        "z": lambda: cp.zeros(n, np.float32),
        "u": lambda: cp.arange(n, dtype=np.int32),
        "b": lambda: cp.asarray(rng.integers(0, 256, n).astype(np.uint8)),
        "h": lambda: cp.empty(n, np.uint16),
        "e": lambda: cp.empty(n, np.float16),
        "r": lambda: cp.asarray(np.zeros(n, [("key", "f4"), ("value", "i4")])),
        "i": lambda: np.int32(n),
        "n": lambda: None,
    }
    if kind != "p":
        return made[kind]()
    partly = cp.empty(n, np.float32)
    partly[: n * 5 // 8] = 1.0
    return partly


def cases(folder: str) -> Iterator[Case]:
    """The kernels of ``faulty`` or ``clean``."""
    for path in sorted((HERE / folder).glob("*.cu")):
        text = path.read_text(encoding="utf-8")
        starts = list(re.finditer(r"^// launch (.*)$", text, re.M))
        for m, after in zip(starts, [*starts[1:], None], strict=True):
            part = text[m.start() : after.start() if after else None]
            first = text.count("\n", 0, m.start()) + 1
            found = frozenset(
                (kind, first + i)
                for i, line in enumerate(part.splitlines())
                for kind in re.findall(r"// finds (\S+)", line)
            )
            name = re.search(r"__global__ void\s+(\w+)", part).group(1)
            yield Case(path, name, m.group(1), found)
