"""Lab 2.1: attention in NumPy and in C++, timed side by side.

Owns: the timing and its chart. Must not know: how either is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from course.charts import COLOURS, LEGEND, Drawing, chart, finish
from course.experiments.layout import best_s

H, G, E = 8, 2, 32  # heads of the packaged model


def inputs(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries, keys and values of n tokens: (n, H, E), (n, G, E), (n, G, E), float32."""
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(n, heads, E)).astype(np.float32) for heads in (H, G, G))


def time_lengths(
    ways: Mapping[str, Callable], lengths: Sequence[int], *, last_only: bool = False
) -> dict[str, list[float]]:
    """Milliseconds of each way for prompts of these lengths; ``last_only`` asks for one query, as
    a step of decoding does.
    """
    found: dict[str, list[float]] = {name: [] for name in ways}
    for n in lengths:
        q, k, v = inputs(n)
        q = q[-1:] if last_only else q
        for name, attend in ways.items():
            spent = best_s(lambda attend=attend, q=q, k=k, v=v: attend(q, k, v), tries=3)
            found[name].append(1e3 * spent)
    return found


def draw_lengths(
    prompt: Mapping[str, Sequence[float]], step: Mapping[str, Sequence[float]], n: Sequence[int]
) -> Drawing:
    """Both kinds of pass, logarithmic in both directions: a slope of 2 is quadratic."""
    figure, (left, right) = chart(7, 3, columns=2)
    for axes, times, title in ((left, prompt, "a prompt"), (right, step, "a step of decoding")):
        for (name, ms), color in zip(times.items(), COLOURS, strict=False):
            axes.plot(n, ms, "o-", color=color, label=name)
        axes.set(title=title, xlabel="tokens", xscale="log", yscale="log")
        axes.set_xticks(n, [str(x) for x in n])
        axes.minorticks_off()
        axes.grid()
    left.set_ylabel("milliseconds")
    left.legend(**LEGEND)
    seen = "; ".join(f"{name} {ms[-1]:.3g} ms" for name, ms in prompt.items())
    return finish(figure, alt=f"Time against length. A prompt of {n[-1]} tokens: {seen}.")
