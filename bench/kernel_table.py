"""What bench/kernels.py measured, as a table in Markdown: a row a format, a column a number of
tokens.

Owns: how the rates of kernels look. Must not know: how they are measured.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from gpu_tables import table

Rows = Sequence[dict[str, str]]
ROW = ("variant", "threads", "format", "layout")  # what a row of the table is
NOTE = (
    "Median rate, and its share of the ceiling measured beside it: memory read for up to 4 tokens, "
    "8-bit products above. file: the weight as it lies in a file; strips: the copy for speed. "
    "'?': fewer than 3 clean samples."
)


def rows(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def page(path: Path) -> str:
    """The table of a CSV, and the machine and versions below it."""
    found = rows(path)
    counts = sorted({int(r["tokens"]) for r in found})
    lines = []
    for key in dict.fromkeys(tuple(r[c] for c in ROW) for r in found):
        mine = {int(r["tokens"]): r for r in found if tuple(r[c] for c in ROW) == key}
        lines.append((*key, *(rate(mine[n]) if n in mine else "-" for n in counts)))
    headings = (*ROW, *(f"{n} token{'s' if n > 1 else ''}" for n in counts))
    said = list(found[0])[list(found[0]).index("samples") + 1 :]
    return f"{table(headings, lines)}\n\n{NOTE}\n\n" + ", ".join(f"{k} {found[0][k]}" for k in said)


def rate(r: dict[str, str]) -> str:
    value = float(r["gb_per_s"]) if r["unit"] == "GB/s" else float(r["gop_per_s"])
    doubt = " ?" if int(r["clean"]) < 3 else ""
    return f"{value:.3g} {r['unit']}, {float(r['share']):.0%}{doubt}"
