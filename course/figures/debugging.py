"""Drawings of lesson 2.6: where errors are, the order of questions.

Owns: these drawings. Must not know: the lesson's text. Read before: `shapes.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from course.charts import AMBER, BLUE, GREEN, RED, SOFT, TEAL, Drawing, chart, finish
from course.figures.shapes import SMALL, arrow, box, canvas, label

QUESTIONS = (  # the question, where to look if the answer is no
    ("Are the ids right?", "tokenizer, template, BOS"),
    ("Logits of ONE token right?", "weights, norms, gate,\nhead, layout of heads"),
    ("Logits of a short prompt right?", "rope, scores, mask,\nhead groups"),
    ("One token a pass: the same?", "cache, positions, tables"),
    ("After rewind, eviction, beside\nothers: the same?", "sharing, stale state, ranges"),
    ("Greedy text right?", "argmax, ends, detokenizer"),
    ("Candidates after each step right?", "order, penalties,\nstate of samplers"),
)


def ladder() -> Drawing:
    """Questions from the bottom of an engine to its top, with the suspects of each."""
    step = 6.4
    figure, axes = canvas(4.8, 0.1 * (step * len(QUESTIONS) + 2))
    for i, (question, suspects) in enumerate(QUESTIONS):
        y = step * (len(QUESTIONS) - 1 - i) + 2
        box(axes, 1, y, 22.5, 4.4, question, BLUE, size=8.5)
        box(axes, 28, y, 19, 4.4, suspects, RED, size=8, fill=0.08)
        arrow(axes, (23.5, y + 2.2), (28, y + 2.2), RED)
        label(axes, 25.5, y + 3.2, "no", align="center", colour=RED, size=8)
        if i + 1 < len(QUESTIONS):
            arrow(axes, (12, y), (12, y - step + 4.4), GREEN)
            label(axes, 13, y - 1.1, "yes", colour=GREEN, size=8)
    return finish(figure, alt="Questions in order: " + "; ".join(
        f"{q} If not: {s}".replace("\n", " ") for q, s in QUESTIONS))  # fmt: skip


def error_maps(errors: Mapping[str, np.ndarray], rows: Sequence[str]) -> Drawing:
    """Relative error after each layer (down) at each token (across), one map for each engine."""
    figure, panels = chart(5.2, 1.75 * len(errors), rows=len(errors), sharex=True)
    for axes, (title, e) in zip(np.ravel(panels), errors.items(), strict=True):
        ink = np.zeros((*e.shape, 4))
        ink[..., :3] = [int(RED[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        ink[..., 3] = np.clip((np.log10(np.maximum(e, 1e-12)) + 5) / 5, 0, 1)  # from 1e-5 to 1
        axes.imshow(ink, aspect="auto", interpolation="nearest",
                    extent=(-0.5, e.shape[1] - 0.5, len(e) - 0.5, -0.5))  # fmt: skip
        axes.set_yticks(range(len(rows)), rows, size=7.5)
        axes.set_title(title, size=9)
    np.ravel(panels)[-1].set_xlabel("token")
    said = []
    for title, e in errors.items():
        layers, tokens = (np.flatnonzero((e > 1e-4).any(axis=a)) for a in (1, 0))
        if layers.size:
            said.append(
                f"{title}: wrong from {rows[layers[0]]} on, at {tokens.size} of {e.shape[1]}"
                f" tokens, the first is token {tokens[0]}"
            )
    return finish(figure, alt=f"Errors by layer and token. {'; '.join(said)}.")


def errors_by_layer(curves: Mapping[str, np.ndarray], rows: Sequence[str], floor: float) -> Drawing:
    """Relative errors layer by layer on a logarithmic scale, with the noise of right engines."""
    figure, axes = chart(5.2, 2.7)
    for (name, e), colour in zip(curves.items(), (AMBER, BLUE, TEAL), strict=False):
        axes.plot(range(len(e)), np.maximum(e, 1e-9), "o-", color=colour, label=name)
    axes.axhline(floor, color=SOFT, linestyle="--", linewidth=0.9, label="noise of a right engine")
    axes.set_yscale("log")
    axes.set_xticks(range(len(rows)), rows)
    axes.set_ylabel("relative error")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=SMALL)
    said = "; ".join(f"{n}: largest at {rows[int(np.argmax(e))]}" for n, e in curves.items())
    return finish(figure, alt=f"Errors layer by layer. {said}.")
