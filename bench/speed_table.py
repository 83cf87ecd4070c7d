"""Tables of speed from samples: medians, ranges, ratios and shares of the roof, in a terminal or in
Markdown.

Owns: how samples become cells, and how cells look. Must not know: how samples are taken. Read
before: ``turns.py``.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from turns import ENOUGH, Sample, counted, read

FAR = 64_000_000  # bytes a step, above which they come from memory and not from caches


@dataclass(frozen=True)
class Summary:
    """A side in a cell: tokens a second over the samples that count."""

    side: str
    rate: float
    least: float
    most: float
    clean: int
    samples: int
    step_ms: float
    roof: float | None  # share of the ceiling: of memory read in decode, of 8-bit products else


@dataclass(frozen=True)
class Cell:
    """One comparison; ``best`` is llama.cpp's fastest configuration, None where it did not run."""

    at: Sample  # any of its samples: model, phase, threads, sequences, depth, block size
    ours: Summary
    best: Summary | None

    @property
    def ratio(self) -> float | None:
        return None if self.best is None else self.ours.rate / self.best.rate


def cells(samples: Sequence[Sample]) -> Iterator[Cell]:
    """A cell for each side of ours, in the order of the samples."""
    groups: dict[tuple, list[Sample]] = {}
    for s in samples:
        groups.setdefault(s.cell, []).append(s)
    for found in groups.values():
        sides = [summary(found, side) for side in dict.fromkeys(s.side for s in found)]
        peers = [s for s in sides if s.side.startswith("llama.cpp")]
        best = max(peers, key=lambda s: s.rate, default=None)
        for ours in sides:
            if ours not in peers:
                yield Cell(found[0], ours, best)


def summary(found: Sequence[Sample], side: str) -> Summary:
    used, n_clean = counted(found, side)
    rates = [s.rate for s in used]
    roofs = [r for s in used if (r := roof(s)) is not None]
    return Summary(
        side, statistics.median(rates), min(rates), max(rates), n_clean,
        sum(s.side == side for s in found),
        statistics.median(s.seconds / s.n_steps for s in used) * 1e3,
        statistics.median(roofs) if roofs else None,
    )  # fmt: skip


def roof(s: Sample) -> float | None:
    """What a sample reached of the ceiling that was measured beside it; None where the bytes of a
    step lie in caches and memory is no ceiling, or where nothing was probed.
    """
    if s.phase.startswith("prefill"):
        return s.operations / s.seconds / s.products if s.products else None
    if s.n_bytes / s.n_steps < FAR or not s.bandwidth:
        return None
    return s.n_bytes / s.seconds / s.bandwidth


def want(c: Cell) -> str:
    """The ratio that we are after, by the beginnings of model and phase."""
    for model, phase, ratios in WANT:
        if c.at.model.startswith(model) and c.at.phase.startswith(phase):
            return f"{ratios[min(c.at.threads, len(ratios)) - 1]}"
    return "-"


def shown(s: Summary | None) -> str:
    if s is None:
        return "-"
    return f"{s.rate:.1f} ({s.least:.1f} to {s.most:.1f}; {s.clean}/{s.samples}){doubt(s)}"


def doubt(s: Summary) -> str:
    """A mark where too few samples were clean."""
    return " ?" if s.clean < ENOUGH else ""


def share(x: float | None) -> str:
    return "-" if x is None else f"{x:.0%}"


NOTE = (
    "Median (range; clean samples/all samples). '?': fewer than "
    f"{ENOUGH} clean samples, the least disturbed half was taken. "
    "Roof: memory read in decode, 8-bit products in prefill, both measured beside each sample."
)


def show(samples: Sequence[Sample], names: Sequence[str]) -> None:
    """The table on the terminal."""
    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    for c in cells(samples):
        table.add_row(*(COLUMNS[name](c) for name in names))
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
    console.print(NOTE)


def markdown(samples: Sequence[Sample], names: Sequence[str]) -> str:
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(COLUMNS[n](c) for n in names) + " |" for c in cells(samples)]
    return "\n".join([*lines, "", NOTE])


def page(path: Path, names: Sequence[str]) -> str:
    """A CSV as Markdown: the table, then the machine and the versions that it is from."""
    samples, hello = read(path)
    said = ", ".join(f"{k} {v}" for k, v in hello.items())
    return f"{markdown(samples, names)}\n\n{said}"


COLUMNS: dict[str, Callable[[Cell], str]] = {
    "model": lambda c: c.at.model,
    "threads": lambda c: str(c.at.threads),
    "phase": lambda c: c.at.phase,
    "ours": lambda c: c.ours.side.removeprefix("minengine").removeprefix(", ") or "repacked",
    "minengine, tokens/s": lambda c: shown(c.ours),
    "llama.cpp, tokens/s": lambda c: shown(c.best),
    "its best": lambda c: c.best.side.removeprefix("llama.cpp, ") if c.best else "-",
    "ratio": lambda c: "-" if c.ratio is None else f"{c.ratio:.2f}",
    "want": want,
    "of the roof": lambda c: share(c.ours.roof),
    "its": lambda c: share(c.best.roof) if c.best else "-",
    "sequences": lambda c: str(c.at.n_sequences),
    "depth": lambda c: str(c.at.depth),
    "block": lambda c: str(c.at.block_size),
    "minengine, ms a step": lambda c: f"{c.ours.step_ms:.2f}{doubt(c.ours)}",
    "llama.cpp, ms a step": lambda c: f"{c.best.step_ms:.2f}{doubt(c.best)}" if c.best else "-",
}

# (beginning of the model, of the phase, the ratio wanted on one thread and on more)
WANT = (
    ("", "8 sequences", (1.5,)),
    ("packaged", "decode", (1.5,)),
    ("Gemma 3 270M", "decode", (1.8, 1.6)),
    ("Gemma 3 270M", "prefill", (2.2,)),
    ("random 1.1B", "decode", (1.35,)),
    ("random 1.1B", "prefill", (1.5,)),
)
# which of them each bench shows, by the name of its file and of its CSV
SHOWN: dict[str, tuple[str, ...]] = {
    "peer_speed": (
        "model", "threads", "phase", "ours", "minengine, tokens/s", "llama.cpp, tokens/s",
        "its best", "ratio", "want", "of the roof", "its",
    ),
    "scaling": (
        "model", "threads", "sequences", "depth", "minengine, ms a step", "llama.cpp, ms a step",
        "its best", "ratio", "of the roof", "its",
    ),
    "cache": (
        "model", "threads", "depth", "block", "minengine, ms a step", "llama.cpp, ms a step",
        "its best", "ratio", "of the roof", "its",
    ),
}  # fmt: skip
