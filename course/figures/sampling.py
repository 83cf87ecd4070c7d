"""Drawings of lesson 2.4: a chain that narrows a distribution, temperature, mirostat's path.

Owns: these drawings. Must not know: the lesson's text. Read before: `shapes.py`,
`minengine/candidates.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from course.charts import (
    AMBER,
    BLUE,
    COLOURS,
    FAINT,
    GREEN,
    INK,
    RED,
    SOFT,
    Drawing,
    chart,
    finish,
)  # fmt: skip
from course.figures.shapes import SMALL
from minengine.candidates import Candidates
from minengine.sampling import Chain


@dataclass(frozen=True)
class Stage:
    """The candidates after one step of a chain."""

    name: str
    candidates: Candidates


def stages(chain: Chain, logits: np.ndarray) -> list[Stage]:
    """Every step of a chain that changes something, on one row of logits."""
    x = np.array(logits, np.float32)
    c = Candidates(np.arange(x.size, dtype=np.int32), x)
    found = [Stage("the model", c)]
    for step in chain.steps:
        values = [chain.values[p.name] for p in step.parameters]
        after = step.apply(c, chain, *values)
        if len(after) != len(c) or not np.array_equal(after.logits, c.logits):
            found.append(Stage(f"{step.name} {values[0]:g}", after))
        c = after
    return found


def narrowing(found: Sequence[Stage], names: Mapping[int, str], n_shown: int = 12) -> Drawing:
    """The likeliest tokens at each stage, one panel under the other; what is gone is an outline."""
    first = found[0].candidates.sorted()
    shown = first.ids[:n_shown]
    options = {"rows": len(found), "sharex": True, "sharey": True}
    figure, panels = chart(5.2, 0.9 * len(found) + 0.7, **options)
    before = np.zeros(n_shown)
    for axes, stage in zip(panels, found, strict=True):
        p = dict(zip(stage.candidates.ids.tolist(), stage.candidates.probabilities(), strict=True))
        now = np.array([p.get(int(i), 0.0) for i in shown])
        if stage is not found[0]:
            outline = {"color": "none", "edgecolor": SOFT, "linewidth": 0.7}
            axes.bar(range(n_shown), before, width=0.75, **outline)
        axes.bar(range(n_shown), now, color=BLUE, alpha=0.75, width=0.75)
        alive = int(np.sum(stage.candidates.logits > -np.inf))
        axes.text(0.99, 0.9, f"{stage.name}: {alive:,} left", transform=axes.transAxes, ha="right",
                  va="top", size=9, color=INK)  # fmt: skip
        axes.set_yticks([])
        before = now
    if n_shown <= 16:
        texts = [names[int(i)] for i in shown]
        panels[-1].set_xticks(range(n_shown), texts, rotation=45, ha="right")
    else:
        panels[-1].set_xlabel("tokens, the likeliest first")
    said = ", ".join(f"{s.name} leaves {len(s.candidates)}" for s in found)
    return finish(figure, alt=f"The {n_shown} likeliest tokens after each step: {said}.")


def temperatures(curves: Mapping[str, np.ndarray], t: np.ndarray) -> Drawing:
    """Entropy of a distribution against the temperature, for several contexts."""
    figure, axes = chart(5.2, 2.6)
    for (name, entropy), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(t, entropy, color=colour, label=name)
    axes.axvline(1, color=SOFT, linestyle="--", linewidth=0.8)
    axes.set_xlabel("temperature")
    axes.set_ylabel("entropy, bits")
    axes.legend()
    return finish(figure, alt="Entropy grows with the temperature, from none to that of a blind "
                  "guess; a sure context stays sure for longer.")  # fmt: skip


def kept(counts: Mapping[str, np.ndarray]) -> Drawing:
    """How many tokens each filter keeps along a text, on a logarithmic scale."""
    figure, axes = chart(5.2, 2.8)
    for (name, n), colour in zip(counts.items(), COLOURS, strict=False):
        axes.step(range(len(n)), n, where="mid", color=colour, label=name, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_xlabel("token of the text")
    axes.set_ylabel("candidates kept")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, fontsize=SMALL)
    ranges = ", ".join(f"{k} {int(n.min())} to {int(n.max())}" for k, n in counts.items())
    return finish(figure, alt=f"Candidates kept along a text: {ranges}.")


def mirostat(paths: Mapping[str, tuple[np.ndarray, np.ndarray]], tau: float) -> Drawing:
    """Surprise of each token and the bound mu, for each run: (surprises, mu)."""
    figure, panels = chart(5.2, 1.9 * len(paths), rows=len(paths), sharex=True)
    for axes, (name, (surprise, mu)) in zip(np.ravel(panels), paths.items(), strict=True):
        axes.plot(surprise, ".", color=FAINT[:7], markersize=3, alpha=0.7)
        mean = np.convolve(surprise, np.ones(25) / 25, "valid")
        axes.plot(np.arange(len(mean)) + 24, mean, color=BLUE, label="mean of the last 25")
        if mu.size:
            axes.plot(mu, color=AMBER, label="mu", linewidth=1)
        axes.axhline(tau, color=GREEN if mu.size else RED, linestyle="--", linewidth=1, label="tau")
        axes.set_title(name, size=9)
        axes.set_ylabel("bits")
    handles, labels = np.ravel(panels)[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=SMALL)
    np.ravel(panels)[-1].set_xlabel("token")
    said = ", ".join(f"{k}: mean {s.mean():.2f} bits" for k, (s, _) in paths.items())
    return finish(figure, alt=f"Surprise over time; {said}; the target is {tau:g}.")


def trade(points: Mapping[str, Sequence[tuple[float, float, str]]]) -> Drawing:
    """Two measures of texts against each other, a line of settings for each method."""
    figure, axes = chart(5.2, 3.0)
    places = ((4, -10), (-16, 5), (5, 3), (-60, 6))
    for (name, path), colour, place in zip(points.items(), COLOURS, places, strict=False):
        mark = "o-" if len(path) > 1 else "*"
        axes.plot([p[0] for p in path], [p[1] for p in path], mark, color=colour, label=name)
        for x, y, text in path:
            axes.annotate(text, (x, y), xytext=place, textcoords="offset points", size=7.5,
                          color=colour)  # fmt: skip
    axes.set_xlabel("nats a token, under the plain model")
    axes.set_ylabel("share of distinct pairs")
    axes.legend(loc="lower right")
    return finish(figure, alt="Distinct pairs of tokens against loss: each method trades one for "
                  "the other along its own curve.")  # fmt: skip
