"""One token times a Q8_0 matrix, from number by number to the engine's kernel, in checked steps.

    raw, x = ladder.product(32768, 2048)
    rungs = ladder.climb(raw, x)         # each step held against float64, then timed
    ladder.draw(rungs, ladder.memory_gbs(raw.size))

Owns: the steps, what each may be off by, the chart. Must not know: how a benchmark keeps other
programs' time out of its own (bench/clean.py). Read before: minengine/integer.pyx, strips.pyx.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from course.charts import BLUE, LEGEND, RED, Drawing, chart, finish
from course.experiments.layout import best_s
from minengine import integer, ops, oracle, repacking, strips
from minengine.formats import FORMATS

FORM = FORMATS["Q8_0"]
N_NAIVE = 32  # rows of the first step
ALLOWED = 1e-5  # of the largest product: float32 sums of 2048 terms


@dataclass(frozen=True)
class Step:
    """A way to compute the product: ``call`` writes ``out``, which has the rows that it does."""

    name: str
    call: Callable[[], None]
    out: np.ndarray  # float32 (1, rows)
    rounds: bool  # are activations rounded to 8 bits?
    n_threads: int = 1


@dataclass(frozen=True)
class Rung:
    """A step that was right, and its time: ms for all rows, GB of weights a second, the error."""

    name: str
    ms: float
    gbs: float
    error: float


def product(n_rows: int, n_columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random blocks of Q8_0, uint8 (n_rows, row_bytes), and one row of activations."""
    rng = np.random.default_rng(seed)
    some = FORM.quantize(rng.standard_normal((64, n_columns)))
    raw = np.tile(some, (n_rows // 64 + 1, 1))[:n_rows]
    return raw, rng.standard_normal(n_columns).astype(np.float32)


def number_by_number(raw: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """Each block: its scale, a half, then 32 signed bytes."""
    for r, row in enumerate(raw):
        total = 0.0
        for b in range(len(row) // 34):
            block = row[b * 34 : b * 34 + 34]
            scale = float(block[:2].view(np.float16)[0])
            for i, q in enumerate(block[2:].view(np.int8).tolist()):
                total += scale * q * float(x[b * 32 + i])
        out[0, r] = total


def dequantized(raw: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
    """NumPy: 256 rows as float32 at a time, then a product of floats."""
    for first in range(0, len(raw), 256):
        out[0, first : first + 256] = FORM.dequantize(raw[first : first + 256]) @ x


def steps(raw: np.ndarray, x: np.ndarray) -> list[Step]:
    """The ladder; every step has what the one before it has and one idea more.

    Where the processor has no fast kernel of the engine's, it ends with the readable one.
    """
    n_rows, row = len(raw), x[None]
    new = lambda n=n_rows: np.full((1, n), np.nan, np.float32)  # noqa: E731
    found, few = [], raw[:N_NAIVE]
    best = strips.CHOSEN
    codes = integer.Activations(row)

    def add(name: str, out: np.ndarray, call: Callable[..., None], rounds: bool, n=1) -> None:
        found.append(Step(name, lambda: call(out), out, rounds, n))

    add("Python, number by number", new(len(few)), lambda o: number_by_number(few, x, o), False)
    add("NumPy: dequantize, then multiply", new(), lambda o: dequantized(raw, x, o), False)
    add("dequantize inside the sum", new(), lambda o: ops.matmul(row, raw, FORM, o), False)
    add("8-bit integers, readable", new(), lambda o: integer.matmul(codes, raw, FORM, o), True)
    if best == "portable":
        return found
    a, side = strips.rounded(row), {"interleaved": True}
    plain = np.empty((strips.strip_rows(n_rows), raw.shape[1]), np.uint8)
    large = repacking.large_pages(plain.size).reshape(plain.shape)
    for laid in (plain, large):
        strips.interleave(raw, FORM, laid)
    add(f"{best}, rows as in the file", new(), lambda o: strips.matmul(a, raw, FORM, o), True)
    add("rows side by side", new(), lambda o: strips.matmul(a, plain, FORM, o, **side), True)
    add("pages of 2 MiB", new(), lambda o: strips.matmul(a, large, FORM, o, **side), True)
    if (os.cpu_count() or 1) > 1:
        two = side | {"n_threads": 2}
        add("two threads", new(), lambda o: strips.matmul(a, large, FORM, o, **two), True, 2)
    return found


def error(step: Step, weights: np.ndarray, x: np.ndarray) -> float:
    """The largest difference from the float64 product, as a share of the largest one.

    ``weights`` are the first rows as numbers; what was written of the output is compared with them.
    """
    used = oracle.rounded(x[None]) if step.rounds else x[None]
    want = oracle.matmul(used, weights)
    got = step.out[:, : len(weights)]
    return float(np.max(np.abs(got - want)) / np.max(np.abs(want)))


def climb(
    raw: np.ndarray, x: np.ndarray, seconds: Callable[[Step], float] | None = None
) -> list[Rung]:
    """Every step run, held against float64, and timed: by ``seconds``, or as the best of a few.

    A step that does a part of the rows is counted up. Raises ValueError where one is wrong.
    """
    found, weights = [], FORM.dequantize(raw[:N_NAIVE])
    for step in steps(raw, x):
        step.call()
        wrong = error(step, weights, x)
        if not wrong <= ALLOWED:
            raise ValueError(f"{step.name}: error {wrong:.1e}, allowed {ALLOWED:.1e}")
        took = seconds(step) if seconds else best_s(step.call, tries=3)
        took *= len(raw) / step.out.shape[1]
        found.append(Rung(step.name, 1e3 * took, 1e-9 * raw.size / took, wrong))
    return found


def memory_gbs(n_bytes: int) -> float:
    """GB a second that one thread reads of so much memory with nothing else to do."""
    memory = repacking.large_pages(n_bytes)
    memory[:] = 1
    return 1e-9 * strips.read(memory) / best_s(lambda: strips.read(memory), tries=5)


def draw(rungs: Sequence[Rung], memory: float) -> Drawing:
    """GB of weights a second of each step, on a logarithmic scale, and what memory gives."""
    figure, axes = chart(5.2, 0.36 * len(rungs) + 1)
    speeds = [r.gbs for r in rungs]
    axes.barh([f"{r.name}: {r.gbs:.2g}" for r in rungs], speeds, color=BLUE, height=0.6)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.axvline(memory, color=RED, linestyle="--", label=f"memory, one thread: {memory:.0f} GB/s")
    axes.set_xlim(min(speeds) / 2, max(*speeds, memory) * 2)
    axes.set_xlabel("GB of weights a second")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), **LEGEND)
    said = "; ".join(f"{r.name} {r.gbs:.3g} GB/s" for r in rungs)
    return finish(figure, alt=f"Bars, each step of the ladder: {said}; memory {memory:.3g} GB/s.")
