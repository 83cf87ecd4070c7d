"""What bench/gpu.py measured, as tables in Markdown.

Owns: which columns are shown, how faults are counted up. Must not know: how anything is measured.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

Rows = Sequence[dict[str, str]]
TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")


def page(path: Path) -> str:
    """The table of a file, and the machine below it."""
    with path.open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    one = rows[0]
    machine = (
        f"{one['gpu']}, driver {one['driver']} (CUDA {one['cuda_of_driver']}), "
        f"CUDA {one['cuda']}, CuPy {one['cupy']}, {one['date']}"
    )
    return f"{TABLES[path.stem](rows)}\n\n{machine}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def results(rows: Rows) -> str:
    """By part: how many are as they should be, and how many right that need not be."""
    made = []
    for part in dict.fromkeys(r["part"] for r in rows):
        mine = [r for r in rows if r["part"] == part]
        firm = [r for r in mine if r["want"] != "any"]
        loose = [r for r in mine if r["want"] == "any"]
        ok = sum(r["want"] == r["found"] for r in firm)
        right = sum(r["found"] == "right" for r in loose)
        made.append((part, f"{ok} of {len(firm)}", f"{right} of {len(loose)}" if loose else ""))
    return table(("part", "as it should be", "right all the same"), made)


def sanitizers(rows: Rows) -> str:
    """By the kind of fault: how many kernels have it, and which tool found it in how many."""
    made, every = [], []
    kinds = dict.fromkeys(kind for r in rows for kind in r["cudasim"].split(", "))
    for kind in kinds:
        mine = [r for r in rows if r["cudasim"].split(", ")[0] == kind]
        if mine:
            made.append((kind, *tally(mine)))
            every += mine
    made.append(("all", *tally(every)))
    return table(("kind", "kernels", "cudasim", *TOOLS, "any of the four"), made)


def tally(rows: Rows) -> tuple[str, ...]:
    found = [[is_found(r[tool]) for tool in TOOLS] for r in rows]
    each = (str(sum(column)) for column in zip(*found, strict=True))
    n = len(rows)
    return str(n), str(sum(bool(r["cudasim"]) for r in rows)), *each, str(sum(map(any, found)))


def is_found(said: str) -> bool:
    """A launch that hangs or fails is no finding: the tool did not say why."""
    return bool(said) and not said.startswith("(")


def ladder(rows: Rows) -> str:
    """Each step: the counts that it is for, and times beside the step before it."""
    made, before = [], None
    for r in rows:
        follows = before is not None and before["operation"] == r["operation"]
        follows = follows and before["large"] == r["large"]
        times = [
            f"{float(before[c]) / float(r[c]):.2f}" if follows else "" for c in TIMED
        ]  # fmt: skip
        small, large = (1e3 * float(r[c]) for c in TIMED)
        made.append(
            (r["step"], r["large"], r["falls"], f"{float(r['of_the_least']):.1f}",
             f"{small:.1f}", times[0], f"{large:,.0f}", times[1])
        )  # fmt: skip
        before = r
    heads = ("step", "sizes", "counts that fall", "bytes, of the least", "small, us", "faster",
             "large, us", "faster")  # fmt: skip
    return table(heads, made)


TIMED = ("small_ms", "large_ms")
TABLES = {"gpu_results": results, "gpu_sanitizers": sanitizers, "gpu_ladder": ladder}
