"""Drawings of lesson 2.2: who looks at whom, heads in groups, rotations, the walk over blocks.

Owns: these drawings. Must not know: the lesson's text. Read before: `shapes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from course.charts import AMBER, BLUE, COLOURS, FAINT, GREEN, INK, RED, SOFT, Drawing, chart, finish
from course.figures.shapes import SMALL, arrow, box, canvas, label, line, row


def weights(heads: Mapping[str, np.ndarray], tokens: Sequence[str]) -> Drawing:
    """What each head looks at: a square for each (query, key), as dark as its weight.

    ``heads``: title -> (T, T) weights; tokens name the rows and columns.
    """
    n = len(heads)
    columns = 2 if n > 1 else 1
    figure, grid = chart(5.2, 2.75 * -(-n // columns), rows=-(-n // columns), columns=columns)
    for axes, (title, p) in zip(np.ravel(grid), heads.items(), strict=True):
        ink = np.empty((*p.shape, 4))
        ink[..., :3] = [int(BLUE[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        ink[..., 3] = np.sqrt(p)  # of the page's own colour where nothing is looked at
        axes.imshow(ink, extent=(0, len(p), len(p), 0), interpolation="nearest")
        axes.set_title(title, size=9)
        axes.set_xticks(np.arange(len(tokens)) + 0.5, tokens, rotation=90, size=6.5)
        axes.set_yticks(np.arange(len(tokens)) + 0.5, tokens, size=6.5)
        axes.tick_params(length=0)
    where = "; ".join(
        f"{title}: the last token looks most at {tokens[int(np.argmax(p[-1]))]!r}"
        for title, p in heads.items()
    )
    return finish(figure, alt=f"Attention weights, queries down, keys across. {where}.")


def grouping(n_heads: int, groups: Sequence[int]) -> Drawing:
    """Which key/value head each query head reads, for several numbers of groups."""
    figure, axes = canvas(4.6, 1.75 * len(groups))
    names = {n_heads: "multi-head (MHA)", 1: "multi-query (MQA)"}
    w = 4.4
    for r, n_groups in enumerate(groups):
        y = 17.5 * (len(groups) - 1 - r)
        name = names.get(n_groups, "grouped-query (GQA)")
        label(axes, 1, y + 15.4, f"{name}: H = {n_heads}, G = {n_groups}", size=9.5)
        size = n_heads // n_groups
        for g in range(n_groups):
            colour = COLOURS[g % len(COLOURS)]
            middle = 5 + w * (g * size + size / 2)
            box(axes, middle - 1.7, y + 1, 3.4, 2.8, f"kv{g}", colour, size=SMALL)
            for h in range(g * size, (g + 1) * size):
                x = 5 + w * (h + 0.5)
                box(axes, x - 1.7, y + 10.6, 3.4, 2.8, f"q{h}", colour, size=SMALL)
                line(axes, (x, y + 10.6), (middle, y + 3.8), colour=colour)
    said = ", ".join(f"{g} key/value heads for {n_heads} query heads" for g in groups)
    return finish(figure, alt=f"Neighbouring query heads share a key/value head: {said}.")


def masks(shapes: Mapping[str, np.ndarray]) -> Drawing:
    """Masks as grids, queries down, keys across; what may be seen is filled."""
    columns = 2
    rows = -(-len(shapes) // columns)
    figure, axes = canvas(4.8, 2.2 * rows)
    for i, (title, mask) in enumerate(shapes.items()):
        x, top = 2 + 24 * (i % columns), 22 * (rows - i // columns) - 3.4
        label(axes, x, top + 1.6, title, size=9)
        cell = min(2.4, 20 / mask.shape[1])
        for t, seen in enumerate(mask):
            for s, yes in enumerate(seen):
                box(axes, x + s * cell, top - (t + 1) * cell, cell, cell, "",
                    BLUE if yes else SOFT, fill=0.55 if yes else 0.0)  # fmt: skip
    counts = "; ".join(f"{title}: {int(m.sum())} of {m.size} pairs" for title, m in shapes.items())
    return finish(figure, alt=f"Masks, queries down and keys across. {counts}.")


def pairings(E: int) -> Drawing:
    """One head's E coordinates: which two turn together in both conventions, and the permutation
    that turns one into the other.
    """
    figure, axes = canvas(4.8, 2.7)
    w, left = 4.0, 12.0
    pair = {"norm": [i // 2 for i in range(E)], "neox": [i % (E // 2) for i in range(E)]}
    for y, name in ((17, "neox"), (5, "norm")):
        label(axes, 1, y + 1.3, name, size=10)
        row(axes, left, y, [str(i) for i in range(E)], [COLOURS[p] for p in pair[name]], w=w, h=2.8)
    for i in range(E):
        source = i // 2 + (i % 2) * (E // 2)
        arrow(axes, (left + w * (source + 0.5), 16.8), (left + w * (i + 0.5), 8.2),
              COLOURS[pair["neox"][source]])  # fmt: skip
    label(axes, left, 22.6, "halves: (i, i + E/2)", size=9)
    label(axes, left, 2.6, "neighbours: (2i, 2i + 1)", size=9)
    return finish(figure, alt=f"Coordinates 0 to {E - 1} of a head: in neox, i turns with "
                  f"i + {E // 2}; in norm, 2i with 2i + 1. Arrows show where each row of a "
                  "projection goes when a file is converted.")  # fmt: skip


def rotations(frequencies: np.ndarray, positions: Sequence[int]) -> Drawing:
    """Where the pair (1, 0) stands at some positions, for each frequency: a circle each."""
    n = len(frequencies)
    figure, axes = canvas(4.8, 1.75)
    r = 4.4
    turn = np.linspace(0, 2 * np.pi, 73)
    for i, f in enumerate(frequencies):
        x, y = 6.2 + i * 48 / n, 9.6
        axes.plot(x + r * np.cos(turn), y + r * np.sin(turn), color=SOFT, linewidth=0.8)
        for k, p in enumerate(positions):
            end = (x + r * np.cos(f * p), y + r * np.sin(f * p))
            shade = 0.25 + 0.75 * k / max(len(positions) - 1, 1)
            axes.plot([x, end[0]], [y, end[1]], color=COLOURS[i], alpha=shade, linewidth=1.2)
            axes.plot(*end, "o", color=COLOURS[i], alpha=shade, markersize=3)
        label(axes, x, 2.6, f"pair {i}", align="center")
        label(axes, x, 16.2, f"{f:.2g} rad", align="center")
    return finish(figure, alt=f"Each pair turns at its own speed: at positions {list(positions)} "
                  f"pair 0 stands all around the circle, pair {n - 1} has hardly "
                  "moved.")  # fmt: skip


def wavelengths(curves: Mapping[str, np.ndarray], context: int) -> Drawing:
    """Positions for one full turn of each pair, under several settings."""
    figure, axes = chart(5.2, 2.9)
    for (name, f), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(range(len(f)), 2 * np.pi / f, color=colour, label=name)
    axes.axhline(context, color=SOFT, linestyle="--", linewidth=0.8)
    axes.text(0, context * 1.25, f"the original context, {context:,} tokens", size=SMALL, color=INK)
    axes.set_yscale("log")
    axes.set_xlabel("pair")
    axes.set_ylabel("positions a turn")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.98))
    return finish(figure, alt="Positions that a pair takes for one turn, from six for the first to "
                  "many thousands for the last; scaling makes the slow pairs slower.")  # fmt: skip


def walk(scores: np.ndarray, m: Sequence[float], l: Sequence[float], block: int) -> Drawing:
    """The scores of one query, and after each block the running maximum and sum."""
    figure, (top, low) = chart(5.2, 3.4, rows=2, sharex=True)
    at = np.arange(len(scores))
    top.bar(at, scores, color=BLUE, alpha=0.5, width=0.8)
    ends = np.arange(block, len(scores) + block, block).clip(max=len(scores)) - 0.5
    top.step([-0.5, *ends], [m[0], *m], where="pre", color=RED, label="m, the maximum so far")
    low.step([-0.5, *ends], [l[0], *l], where="pre", color=GREEN, label="l, sum of exp(score - m)")
    for axes in (top, low):
        for e in ends:
            axes.axvline(e, color=FAINT, linewidth=0.8)
        axes.legend(loc="lower right", bbox_to_anchor=(1, 0.96), fontsize=SMALL)
    top.set_ylabel("score")
    low.set_ylabel("sum")
    low.set_xlabel("key, in blocks")
    rises = int(np.sum(np.diff(m) > 0))
    return finish(figure, alt=f"Scores of one query over {len(scores)} keys in blocks of {block}: "
                  f"the running maximum rises {rises} times, and each time the sum is scaled down "
                  "before the block is added.")  # fmt: skip


def cache_sizes(per_token: Mapping[str, int]) -> Drawing:
    """Bytes of cache that a token takes, for several models."""
    figure, axes = chart(5.2, 0.7 + 0.32 * len(per_token))
    kib = [n / 1024 for n in per_token.values()]
    bars = axes.barh(list(per_token), kib, color=AMBER, alpha=0.8)
    axes.bar_label(bars, [f"{n:,.0f}" for n in kib], padding=3, color=SOFT, size=SMALL)
    axes.invert_yaxis()
    axes.set_xlabel("KiB of cache for a token, 16 bits a number")
    axes.margins(x=0.15)
    return finish(figure, alt="KiB of cache a token: "
                  + ", ".join(f"{k} {v / 1024:.0f}" for k, v in per_token.items()))  # fmt: skip
