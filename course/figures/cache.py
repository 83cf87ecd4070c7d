"""Drawings of lesson 2.3: who holds which block, what is wasted, what is forgotten.

Owns: these drawings, and the snapshots of a real pool that they are made from. Must not know: the
lesson's text. Read before: `shapes.py`, `minengine/kvcache.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from course.charts import AMBER, BLUE, COLOURS, FAINT, GREEN, RED, SOFT, Drawing, chart, finish
from course.figures.shapes import SMALL, box, canvas, label
from minengine.kvcache import BlockPool


@dataclass(frozen=True)
class Snapshot:
    """A pool at one moment: holders of each block, the tables and lengths of its sequences."""

    title: str
    block_size: int
    references: tuple[int, ...]
    tables: Mapping[str, tuple[tuple[int, ...], int]]  # name -> (blocks, tokens)

    @classmethod
    def of(cls, title: str, pool: BlockPool, **sequences: tuple[Sequence[int], int]) -> Snapshot:
        """What the pool says now; a sequence is its table and how many tokens it has."""
        references = tuple(pool.references(b) for b in range(pool.n_blocks))
        tables = {name: (tuple(table), n) for name, (table, n) in sequences.items()}
        return cls(title, pool.block_size, references, tables)


def tables(snapshots: Sequence[Snapshot]) -> Drawing:
    """One moment under the other: the pool's blocks, filled as far as they hold tokens, in the
    colours of those that hold them; the tables of the sequences below.
    """
    n_rows = max(len(s.tables) for s in snapshots)
    high = 12.5 + 2.6 * n_rows
    figure, axes = canvas(4.8, 0.1 * high * len(snapshots) + 0.1)
    for k, moment in enumerate(snapshots):
        top = 0.5 + high * (len(snapshots) - k)
        label(axes, 1, top - 1.4, moment.title, size=9.5)
        _pool_row(axes, moment, top - 8.2)
        for i, (name, (table, n)) in enumerate(moment.tables.items()):
            text = f"{name}: {n} tokens, table {list(table)}"
            label(axes, 1, top - 10.6 - 2.5 * i, text, colour=COLOURS[i])
    said = "; ".join(
        f"{s.title}: " + ", ".join(f"{n} has blocks {list(t)}" for n, (t, _) in s.tables.items())
        for s in snapshots
    )
    return finish(figure, alt=f"A pool of {len(snapshots[0].references)} blocks. {said}.")


def _pool_row(axes, moment: Snapshot, y: float) -> None:
    """The blocks of one moment side by side, each cell a token."""
    B, n_blocks = moment.block_size, len(moment.references)
    w = min(46 / n_blocks - 0.8, 1.7 * B)
    for b, count in enumerate(moment.references):
        x = 1 + b * (w + 0.8)
        box(axes, x, y, w, 4.2, "", SOFT, fill=0.0)
        holders = [(i, t.index(b), n) for i, (t, n) in enumerate(moment.tables.values()) if b in t]
        for j, (i, at, n) in enumerate(holders):
            height = 4.2 / len(holders)
            filled = min(B, n - at * B)
            for token in range(filled):
                box(axes, x + token * w / B, y + 4.2 - (j + 1) * height, w / B, height, "",
                    COLOURS[i], fill=0.35)  # fmt: skip
        times = f"{b} (×{count})" if count else f"{b}"
        label(axes, x + w / 2, y + 5.4, times, align="center", size=7.5)
        if not count:
            label(axes, x + w / 2, y + 2.1, "free", align="center", size=8)


def waste(shares: Mapping[str, Mapping[str, float]]) -> Drawing:
    """Of the memory that each way of allocating takes: shares of what it is used for."""
    figure, axes = chart(5.2, 0.9 + 0.42 * len(shares))
    names, left = list(shares), np.zeros(len(shares))
    for kind, colour in zip(next(iter(shares.values())), (GREEN, AMBER, RED, SOFT), strict=False):
        part = np.array([shares[n][kind] for n in names])
        axes.barh(names, part, left=left, color=colour, alpha=0.85, label=kind, height=0.62)
        left += part
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the memory, mean over time")
    axes.legend(loc="lower center", bbox_to_anchor=(0.35, 1.0), ncols=4, fontsize=SMALL)
    return finish(figure, alt="Shares of memory: " + "; ".join(
        f"{n}: " + ", ".join(f"{k} {v:.0%}" for k, v in shares[n].items()) for n in names
    ))  # fmt: skip


def memory(curves: Mapping[str, Sequence[float]], per_token: float) -> Drawing:
    """Bytes against tokens for several ways of allocating, ``curves`` in tokens of room."""
    figure, axes = chart(5.2, 2.7)
    for (name, room), colour in zip(curves.items(), COLOURS, strict=False):
        axes.step(range(len(room)), np.array(room) * per_token / 1024, where="post",
                  color=colour, label=name)  # fmt: skip
    axes.set_xlabel("tokens of the text")
    axes.set_ylabel("KiB taken")
    axes.legend()
    last = ", ".join(f"{k} {v[-1] * per_token / 1024:.0f} KiB" for k, v in curves.items())
    return finish(figure, alt=f"Memory against the length of a text; at its end: {last}.")


def kept(histories: Mapping[str, Sequence[np.ndarray]], every: int = 4) -> Drawing:
    """Which tokens of a text are stored while it grows: a picture for each policy, time downwards.

    ``histories``: title -> at each step, the numbers of the tokens that are stored.
    """
    n = len(histories)
    figure, panels = chart(5.2, 2.5, columns=n, sharey=True)
    for axes, (title, steps) in zip(np.ravel(panels), histories.items(), strict=True):
        steps = steps[::every]
        length = max(int(s[-1]) for s in steps if len(s)) + 1
        ink = np.zeros((len(steps), length, 4))
        ink[..., :3] = [int(BLUE[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        for row, stored in zip(ink, steps, strict=True):
            row[np.asarray(stored, int), 3] = 0.9
        axes.imshow(ink, aspect="auto", interpolation="nearest",
                    extent=(0, length, len(steps) * every, 0))  # fmt: skip
        axes.set_title(title, size=9)
        axes.set_xlabel("token")
        axes.grid(color=FAINT)
    np.ravel(panels)[0].set_ylabel("step")
    said = ", ".join(f"{t}: {len(s[-1])} of {int(s[-1][-1]) + 1} at the end"
                     for t, s in histories.items())  # fmt: skip
    return finish(figure, alt=f"Stored tokens over time. {said}.")


def occupancy(histories: Mapping[str, Sequence[Sequence[int]]]) -> Drawing:
    """What lies in each block of a pool after each request, a panel for each policy.

    ``histories``: title -> for each request, what every block holds: 0 nothing, 1, 2, ... one of
    the popular texts, -1 what was asked for once.
    """
    figure, panels = chart(5.2, 1.9 * len(histories), rows=len(histories), sharex=True)
    grids = {title: np.array(history).T for title, history in histories.items()}
    n_texts = max(int(g.max()) for g in grids.values())
    kinds = {f"text {k}": (k, COLOURS[k - 1], 0.85) for k in range(1, n_texts + 1)}
    kinds["once"] = (-1, SOFT, 0.35)
    for axes, (title, grid) in zip(np.ravel(panels), grids.items(), strict=True):
        ink = np.zeros((*grid.shape, 4))
        for kind, colour, shade in kinds.values():
            ink[grid == kind] = [*(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)), shade]
        extent = (0, grid.shape[1], grid.shape[0], 0)
        axes.imshow(ink, aspect="auto", interpolation="nearest", extent=extent)
        axes.set_title(title, size=9)
        axes.set_ylabel("block")
    patches = [axes.fill([], [], color=c, alpha=a)[0] for _, c, a in kinds.values()]
    figure.legend(patches, list(kinds), loc="outside upper center", ncols=5, fontsize=SMALL)
    np.ravel(panels)[-1].set_xlabel("request")
    said = "; ".join(f"{title}: {np.mean(g > 0):.0%}" for title, g in grids.items())
    return finish(figure, alt=f"What the blocks of a pool hold over time; share of blocks and "
                  f"requests that hold a popular text: {said}.")  # fmt: skip
