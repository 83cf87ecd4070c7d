"""Lab 2.3: what a sampler does to a text, in numbers: surprise, distinct n-grams, repetition.

Owns: the experiments and their charts. Must not know: what a student chose. With the same seeds the
same tokens come out on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course.charts import AMBER, BLUE, COLOURS, GREEN, INK, LEGEND, RED, Drawing, chart, finish
from course.experiments.measures import distinct, repetition, surprise
from minengine import Engine, oracle

# nothing is cut and nothing bent: the model's own distribution
OPEN = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0}


METRICS: dict[str, Callable] = {
    "surprise": surprise,
    "distinct": distinct,
    "repetition": repetition,
}


@dataclass(frozen=True)
class Point:
    """A setting of the sampler: the means over all its texts, and a number for each text, by which
    it is known again.
    """

    setting: float
    bits: float
    distinct: float
    repetition: float
    prints: tuple[int, ...] = ()

    @property
    def row(self) -> list[float]:
        """As it is noted: the three measures, then the numbers of the texts."""
        return [self.bits, self.distinct, self.repetition, *self.prints]


def write(
    engine: Engine, prompts: Sequence[str], seeds: Sequence[int], n_tokens: int, **sampling: Any
) -> list[tuple[list[int], list[int]]]:
    """(prompt, continuation) in tokens for every prompt and seed, all in one batch."""
    options = {**OPEN, **sampling, "max_tokens": n_tokens}
    asked = [engine.sequence(p, seed=seed, **options) for p in prompts for seed in seeds]
    for sequence in asked:
        engine.scheduler.add(sequence)
    while any(not sequence.reason for sequence in asked):
        engine.step()
    return [(s.tokens[: s.n_prompt], s.tokens[s.n_prompt :]) for s in asked]


def measure(
    engine: Engine,
    written: Sequence[tuple[list[int], list[int]]],
    setting: float,
    metrics: Mapping[str, Callable] = METRICS,
) -> Point:
    """What the texts of one setting are like. Surprise is the model's own, whatever was sampled."""
    bits, repeated, texts = [], [], []
    for prompt, text in written:
        if len(text) < 4:  # ended at once
            continue
        logits = engine.logits([*prompt, *text])[len(prompt) - 1 : -1]
        bits.append(metrics["surprise"](logits, text))
        repeated.append(metrics["repetition"](text, 3))
        texts.append(text)
    prints = tuple(sum(i * t for i, t in enumerate(text, 1)) % 10007 for _, text in written)
    if not texts:
        return Point(setting, 0.0, 0.0, 0.0, prints)
    repeats = float(np.mean(repeated))
    return Point(setting, float(np.mean(bits)), metrics["distinct"](texts, 2), repeats, prints)


def sweep(
    engine: Engine,
    prompts: Sequence[str],
    name: str,
    values: Sequence[float],
    *,
    seeds: Sequence[int],
    n_tokens: int,
    metrics: Mapping[str, Callable] = METRICS,
) -> list[Point]:
    """The same prompts and seeds with one option of the sampler at each of these values."""
    return [
        measure(engine, write(engine, prompts, seeds, n_tokens, **{name: v}), float(v), metrics)
        for v in values
    ]


def survivors(
    engine: Engine, text: str, cuts: Mapping[str, Mapping[str, float]]
) -> dict[str, list[int]]:
    """How many tokens each cut leaves after every token of a text: {"top_k 40": [...]}.

    A fixed number leaves the same everywhere; a share of the probability follows the model.
    """
    from minengine.sampling import Chain  # the one use of a chain without a sequence

    logits = engine.logits(engine.tokenize(text))
    chains = {name: Chain(seed=0, **{**OPEN, **cut}) for name, cut in cuts.items()}
    return {name: [len(chain.candidates(row)) for row in logits] for name, chain in chains.items()}


def entropy(engine: Engine, text: str) -> list[float]:
    """Bits of uncertainty after every token of a text."""
    p = oracle.softmax(engine.logits(engine.tokenize(text)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return (-np.where(p > 0, p * np.log2(p), 0).sum(axis=1)).tolist()


# Charts -------------------------------------------------------------------------------------------


def draw_sweep(points: Sequence[Point], name: str) -> Drawing:
    figure, axes = chart(7, 2.6, columns=3)
    x = [p.setting for p in points]
    for one, values, title, color in (
        (axes[0], [p.bits for p in points], "bits a token", RED),
        (axes[1], [100 * p.distinct for p in points], "distinct pairs, %", GREEN),
        (axes[2], [100 * p.repetition for p in points], "repeated triples, %", AMBER),
    ):
        one.plot(x, values, "o-", color=color)
        one.set(title=title, xlabel=name, ylim=(0, None))
        one.grid(axis="y")
    first, last = points[0], points[-1]
    return finish(
        figure,
        alt=f"{name} from {x[0]:g} to {x[-1]:g}: surprise {first.bits:.1f} to {last.bits:.1f} "
        f"bits, distinct pairs {100 * first.distinct:.0f} to {100 * last.distinct:.0f} percent, "
        f"repeated triples {100 * first.repetition:.0f} to {100 * last.repetition:.0f} percent.",
    )


def draw_trade(sweeps: Mapping[str, Sequence[Point]], text_bits: float) -> Drawing:
    figure, axes = chart(7, 3.6)
    for (name, points), color in zip(sweeps.items(), COLOURS, strict=False):
        bits, share = [p.bits for p in points], [100 * p.distinct for p in points]
        axes.plot(bits, share, "o-", color=color, label=name)
        for p in (points[0], points[-1]) if name == "temperature" else ():
            axes.annotate(
                f"{p.setting:g}", (p.bits, 100 * p.distinct), xytext=(5, -10),
                textcoords="offset points", color=color, fontsize=8,
            )  # fmt: skip
    axes.axvline(text_bits, linestyle=":", color=RED)
    axes.annotate("the model on real text", (text_bits, 0), xytext=(4, 4), rotation=90, color=INK,
                  textcoords="offset points", fontsize=8)  # fmt: skip
    axes.set(xlabel="surprise, bits a token", ylabel="distinct pairs, percent", ylim=(0, 100))
    axes.legend(**LEGEND, loc="lower right")
    axes.grid()
    return finish(
        figure,
        alt="Diversity against surprise, a line for each sweep: every setting buys diversity with "
        "surprise; the samplers differ in the price.",
    )


def draw_survivors(counts: Mapping[str, Sequence[int]], bits: Sequence[float]) -> Drawing:
    figure, (top, bottom) = chart(7, 3.6, rows=2, sharex=True)
    top.bar(range(len(bits)), bits, color=BLUE)
    top.set(ylabel="entropy, bits")
    for (name, n), color in zip(counts.items(), COLOURS[1:], strict=False):
        bottom.step(range(len(n)), n, where="mid", color=color, label=name)
    bottom.set(ylabel="tokens left", xlabel="place in the text", yscale="log")
    bottom.legend(**LEGEND, ncols=3, fontsize=8)
    return finish(
        figure,
        alt="Above the entropy after each token of a text, below how many tokens each cut leaves: "
        "top-k always the same number, top-p and min-p few where the model is sure.",
    )
