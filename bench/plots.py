"""The tables of bench/README.md as drawings.

Owns: what is drawn of each bench. Must not know: how anything is measured, how samples become
cells (``speed_table.py``). Lines of the peer are dashed; a sample's range is a thin bar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import kernel_table
from speed_table import Cell, Summary, cells, doubt, want
from turns import Sample, read

from course.charts import AMBER, BLUE, COLOURS, GREEN, INK, LEGEND, Drawing, chart, finish

PEER = "llama.cpp"


def draw(bench: str, path: Path) -> Drawing:
    """The drawing of a bench's CSV."""
    return DRAWN[bench](path)


def ratios(path: Path) -> Drawing:
    """How many times as fast as llama.cpp, a bar for each cell that can be quoted; what is wanted
    is a line in it.
    """
    found = [c for c in of(path) if c.best and not (doubt(c.ours) or doubt(c.best))]
    models = list(dict.fromkeys((c.at.model, c.at.threads) for c in found))
    places = {c: i + 0.8 * models.index((c.at.model, c.at.threads)) for i, c in enumerate(found)}
    figure, axes = chart(7, 0.5 + 0.24 * (max(places.values()) + 1))
    for c, y in places.items():
        wanted = 0.0 if want(c) == "-" else float(want(c))
        axes.barh(y, c.ratio, 0.72, color=AMBER if c.ratio < wanted else BLUE)
        right = max(c.ratio, wanted) + 0.05
        axes.text(right, y, f"{c.ratio:.2f}", va="center", fontsize=8, color=INK)
        if wanted:
            axes.vlines(wanted, y - 0.45, y + 0.45, color=GREEN, linewidth=2)
    named = [f"{c.at.model}, {threads(c.at.threads)}: {c.at.phase}" for c in places]
    axes.set_yticks(list(places.values()), named, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(1, color=GREEN, linewidth=0.5)
    axes.set_xlabel(f"times {PEER}'s speed; green: wanted")
    said = "; ".join(f"{n} {c.ratio:.2f}" for n, c in zip(named, found, strict=True))
    return finish(figure, alt=f"Speed as a multiple of {PEER}'s: {said}.")


def lengths(path: Path) -> Drawing:
    """Milliseconds a token against the tokens in the cache, a line for each size of block."""
    return lines(path, "depth", "block_size", "tokens in the cache", "blocks of {}")


def sequences(path: Path) -> Drawing:
    """Milliseconds a step against the sequences that it decodes, a line for each thread count."""
    return lines(path, "n_sequences", "threads", "sequences decoded together", "{} threads")


def lines(path: Path, along: str, each: str, label: str, name: str) -> Drawing:
    found, said = list(of(path)), []
    figure, axes = chart(7, 3.4)
    for value, colour in zip(
        dict.fromkeys(getattr(c.at, each) for c in found), COLOURS, strict=False
    ):
        mine = [c for c in found if getattr(c.at, each) == value]
        text = name.format(value).replace("1 threads", "1 thread")
        said.append(curve(axes, mine, along, [c.ours for c in mine], colour, "minengine, " + text))
        peers = [c for c in mine if c.best]
        best = [c.best for c in peers if c.best]
        if peers:
            name_of_peer = PEER if each == "block_size" else f"{PEER}, {text}"
            said.append(curve(axes, peers, along, best, colour, name_of_peer, linestyle="--"))
    axes.set_xlabel(label)
    axes.set_ylabel("ms a step")
    axes.set_ylim(bottom=0)
    axes.legend(**LEGEND, fontsize=8)
    axes.grid(axis="y")
    return finish(figure, alt=f"Milliseconds a step against {label}. {' '.join(said)}")


def curve(
    axes, at: Sequence[Cell], along: str, found: Sequence[Summary], colour: str, name: str, **style
) -> str:
    """Draws a line; returns its ends in words."""
    x = [getattr(c.at, along) for c in at]
    y = [s.step_ms for s in found]
    spread = ([s.step_ms * (1 - s.rate / s.most) for s in found],
              [s.step_ms * (s.rate / s.least - 1) for s in found])  # fmt: skip
    axes.errorbar(x, y, spread, color=colour, marker="o", markersize=3, elinewidth=0.6, label=name,
                  **style)  # fmt: skip
    return f"{name}: {y[0]:.2f} ms at {x[0]}, {y[-1]:.2f} ms at {x[-1]}."


def ceilings(path: Path) -> Drawing:
    """The share of its ceiling that each format's kernel reaches, in strips."""
    rows = [r for r in kernel_table.rows(path) if r["layout"] == "strips"]
    variants = list(dict.fromkeys(r["variant"] for r in rows))
    figure, columns = chart(7, 3.4, columns=len(variants), sharey=True, squeeze=False)
    said = []
    for variant, axes in zip(variants, columns[0], strict=True):
        counts = sorted({int(r["tokens"]) for r in rows if r["variant"] == variant})
        for n, colour in zip(counts, COLOURS, strict=False):
            share = {
                r["format"]: float(r["share"]) for r in rows
                if (r["variant"], int(r["tokens"])) == (variant, n)
            }  # fmt: skip
            name = f"{n} token{'s' if n > 1 else ''}"
            axes.plot(list(share), [100 * s for s in share.values()], "o", color=colour,
                      markersize=4, label=name if axes is columns[0][0] else None)  # fmt: skip
            low, high = min(share, key=share.__getitem__), max(share, key=share.__getitem__)
            said.append(
                f"{variant}, {name}: {share[low]:.0%} ({low}) to {share[high]:.0%} ({high})."
            )
        axes.set_title(variant)
        axes.tick_params("x", rotation=90, labelsize=8)
        axes.set_ylim(0, 105)
        axes.grid(axis="y")
    columns[0][0].set_ylabel("% of the ceiling")
    figure.legend(loc="outside upper center", ncols=4, fontsize=8, **LEGEND)
    return finish(figure, alt=f"Each kernel's share of its ceiling. {' '.join(said)}")


def of(path: Path) -> Iterable[Cell]:
    samples: list[Sample] = read(path)[0]
    return cells(samples)


def threads(n: int) -> str:
    return f"{n} thread{'s' if n > 1 else ''}"


DRAWN = {"peer_speed": ratios, "scaling": sequences, "cache": lengths, "kernels": ceilings}
