"""Drawings of lesson 2.1: the layer, the residual stream, the gate.

Owns: these drawings. Must not know: the lesson's text. Read before: `shapes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from course.charts import AMBER, BLUE, COLOURS, GREEN, SOFT, TEAL, VIOLET, Drawing, chart, finish
from course.figures.shapes import SMALL, arrow, box, canvas, label, line
from minengine.model import Model


def data_flow(model: Model) -> Drawing:
    """One pre-norm layer, from the bottom up, with the widths of a model."""
    h = model.hparams
    figure, axes = canvas(4.4, 6.4)
    stream, x = 6.0, 14.0
    for low, high in ((4, 31.2), (34, 57.6), (60.4, 61)):
        line(axes, (stream, low), (stream, high), colour=BLUE, width=3)
    label(axes, stream, 1.6, f"x: T rows of D = {h.D}", colour=BLUE, align="center")
    label(axes, stream, 62, "to the next layer", colour=BLUE, align="center")
    parts = (  # from below: what it is, its width, its colour
        (8, f"rms_norm\nattn_norm ({h.D})", TEAL), (21.5, "attention: softmax(q kᵀ) v", AMBER),
        (27, f"Wo  ({h.D}, {h.H * h.E})", VIOLET), (37, f"rms_norm\nffn_norm ({h.D})", TEAL),
        (49.5, f"silu(gate) × up   ({h.F})", AMBER), (55, f"Wdown  ({h.D}, {h.F})", VIOLET),
    )  # fmt: skip
    for y, text, colour in parts:
        box(axes, x, y, 27, 3.6 if "\n" in text else 3.2, text, colour, size=9)
    wide = (("Wq", h.H * h.E), ("Wk", h.G * h.E), ("Wv", h.G * h.E))
    for i, (name, n) in enumerate(wide):
        box(axes, x + 9.25 * i, 13.8, 8.5, 3.6, f"{name}\n({n}, {h.D})", VIOLET, size=8.5)
        arrow(axes, (x + 9.25 * i + 4.25, 11.6), (x + 9.25 * i + 4.25, 13.8))
        arrow(axes, (x + 9.25 * i + 4.25, 17.4), (x + 9.25 * i + 4.25, 21.5))
    label(axes, x + 4.9, 19.4, "rope", colour=GREEN)
    label(axes, x + 14.1, 19.4, "rope", colour=GREEN)
    for i, name in enumerate(("Wgate", "Wup")):
        middle = x + 6.75 + 13.5 * i
        box(axes, middle - 6, 42.9, 12, 3.6, f"{name}\n({h.F}, {h.D})", VIOLET, size=8.5)
        arrow(axes, (middle, 40.6), (middle, 42.9))
        arrow(axes, (middle, 46.5), (middle, 49.5))
    for y in (24.7, 52.7):
        arrow(axes, (x + 13.5, y), (x + 13.5, y + 2.3))
    for below, above in ((9.8, 32.6), (38.8, 59)):
        arrow(axes, (stream, below), (x, below), colour=SOFT)
        top = 30.2 if above < 40 else 58.2
        line(axes, (x + 13.5, top), (x + 13.5, above))
        arrow(axes, (x + 13.5, above), (stream + 1.4, above))
        axes.text(stream, above, "+", ha="center", va="center", size=12, color=BLUE,
                  bbox={"boxstyle": "circle,pad=0.15", "fc": "none", "ec": BLUE})  # fmt: skip
    return finish(figure, alt=(
        "A layer: the residual stream runs straight through. Attention reads a normed copy, makes "
        "queries, keys and values, rotates queries and keys, mixes values, projects and adds; the "
        "feed-forward part reads a normed copy, makes gate and up, multiplies and adds."
    ))  # fmt: skip


def stream_sizes(first: Sequence[float], others: Sequence[float], names: Sequence[str]) -> Drawing:
    """The root mean square of the residual stream after each layer: token 0, and the others."""
    figure, axes = chart(5.2, 2.6)
    at = range(len(names))
    axes.plot(at, first, "o-", color=AMBER, label="token 0 (BOS)")
    axes.plot(at, others, "o-", color=BLUE, label="mean of the other tokens")
    axes.set_xticks(at, names)
    axes.set_ylabel("rms of the row")
    axes.set_yscale("log")
    axes.legend()
    return finish(figure, alt="The rows of the residual stream grow from layer to layer; that of "
                  "the first token, BOS, grows first and most.")  # fmt: skip


def gates() -> Drawing:
    """silu, gelu and relu against their argument."""
    from minengine import oracle

    figure, axes = chart(5.2, 2.6)
    z = np.linspace(-6, 4, 201)
    curves = {"silu(z)": oracle.silu(z), "gelu(z)": oracle.gelu(z), "relu(z)": np.maximum(z, 0)}
    for (name, y), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(z, y, color=colour, label=name)
    axes.axhline(0, color=SOFT, linewidth=0.5)
    axes.set_xlabel("z, what the gate computes")
    axes.set_ylabel("what it lets pass")
    axes.legend()
    return finish(figure, alt="silu and gelu follow relu at both ends; between, they dip below "
                  "zero and bend smoothly, silu more than gelu.")  # fmt: skip


def parameters(counts: Mapping[str, Mapping[str, int]]) -> Drawing:
    """Shares of a model's parameters: for each model, what is where."""
    figure, axes = chart(5.2, 0.7 + 0.5 * len(counts))
    names = list(counts)
    left = np.zeros(len(names))
    for kind, colour in zip(next(iter(counts.values())), COLOURS, strict=False):
        share = np.array([counts[n][kind] / sum(counts[n].values()) for n in names])
        axes.barh(names, share, left=left, color=colour, label=kind, height=0.6)
        left += share
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of all parameters")
    figure.legend(loc="outside upper center", ncols=4, fontsize=SMALL, columnspacing=1.2)
    return finish(figure, alt="Shares of parameters: "
                  + "; ".join(f"{n}: " + ", ".join(f"{k} {v}" for k, v in counts[n].items())
                              for n in names))  # fmt: skip
