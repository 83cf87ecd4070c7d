"""From a row of logits to a token id: a chain of samplers, then one draw.

Owns: the samplers, their parameters and their defaults (``SAMPLERS``, from which flags, help and
tests are made), the random numbers. Must not know: the network, the cache, text. Read before:
``oracle.py``, whose ``temperature``, ``top_k``, ``top_p`` and ``draw`` are the meaning of what
stands here.

A sampler takes float64 logits (V,) and returns new ones, -inf where a token is out of the race; it
never writes into what it was given. The order of the rows is the order of the chain, llama.cpp's:
what is cut is cut before temperature bends it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minengine.errors import ModelError, RequestError


@dataclass(frozen=True)
class Sampler:
    """One row: the parameter's name, type, default and help, the least value that makes sense, and
    the function.
    """

    name: str
    type: type
    default: Any
    minimum: float
    help: str
    apply: Callable[[np.ndarray, Any], np.ndarray]

    def check(self, value: Any) -> Any:
        """``value`` as this row's type. Errors: ``RequestError`` says what was wanted."""
        want = {bool: "true or false", int: "a whole number", float: "a number"}[self.type]
        number = isinstance(value, (int, float, np.number, np.bool_)) and math.isfinite(value)
        if not number or (self.type is not float and value != self.type(value)):
            raise RequestError(f"{self.name}: got {value!r}, want {want}")
        if value < self.minimum:
            raise RequestError(f"{self.name}: got {value!r}, want at least {self.minimum:g}")
        return self.type(value)


class Chain:
    """The samplers with their values and one stream of random numbers: logits in, token id out.

    Options are the names of ``SAMPLERS``; ``seed`` None takes one from the system. Every token uses
    up exactly one uniform number, so token n depends on draw n alone, whatever the parameters are
    and whoever runs beside it.
    """

    def __init__(self, *, seed: int | None = None, **options: Any) -> None:
        unknown = options.keys() - {row.name for row in SAMPLERS}
        if unknown:
            names = ", ".join(row.name for row in SAMPLERS)
            raise RequestError(f"{', '.join(sorted(unknown))}: no such sampler; there are {names}")
        if seed is not None and (not isinstance(seed, (int, np.integer)) or seed < 0):
            raise RequestError(f"seed: got {seed!r}, want a whole number from 0 on")
        self.values = {row.name: row.check(options.get(row.name, row.default)) for row in SAMPLERS}
        self._rng = np.random.default_rng(seed)

    def candidates(self, logits: np.ndarray) -> np.ndarray:
        """Logits (V,) of any float type after every sampler: float64 (V,), -inf where a token can't
        be drawn.

        Errors: ``ModelError`` for NaN or infinite logits, which only broken weights make.
        """
        x = np.array(logits, dtype=np.float64)
        bad = np.flatnonzero(np.isnan(x) | (x == np.inf))
        if x.ndim != 1 or not x.size or bad.size or not np.isfinite(x).any():
            what = (
                f"{x[bad[0]]} for token {bad[0]}" if bad.size and x.ndim == 1 else "nothing finite"
            )
            raise ModelError(f"logits of shape {x.shape}: {what}, so no token can be drawn")
        for row in SAMPLERS:
            x = row.apply(x, self.values[row.name])
        return x

    def sample(self, logits: np.ndarray) -> int:
        """The next token id: one draw from the softmax of ``candidates(logits)``."""
        return draw(self.candidates(logits), self._rng.random())


def greedy(x: np.ndarray, on: bool) -> np.ndarray:
    """Keep the largest logit alone; on ties the lowest id."""
    if not on:
        return x
    best = int(np.argmax(x))
    out = np.full_like(x, -np.inf)
    out[best] = x[best]
    return out


def top_k(x: np.ndarray, k: int) -> np.ndarray:
    """Keep the k largest logits; where the last place is tied, the lowest ids; 0 or less is off.

    A partition finds the k-th value in O(V), where sorting 262,144 logits for each token would show
    in decoding.
    """
    alive = x[np.isfinite(x)]
    if k <= 0 or k >= alive.size:
        return x
    least = np.partition(alive, alive.size - k)[alive.size - k]
    keep = x > least
    tied = np.flatnonzero(x == least)
    keep[tied[: k - int(keep.sum())]] = True
    return np.where(keep, x, -np.inf)


def top_p(x: np.ndarray, p: float) -> np.ndarray:
    """Keep the shortest prefix of the descending probabilities whose sum reaches p; at least one; 1
    or more is off.

    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1.
    """
    if p >= 1.0:
        return x
    alive = np.flatnonzero(np.isfinite(x))
    order = alive[np.argsort(-x[alive], kind="stable")]
    weight = np.exp(x[order] - x[order[0]])
    n = int(np.searchsorted(np.cumsum(weight / weight.sum()), p, side="left")) + 1
    out = np.full_like(x, -np.inf)
    out[order[:n]] = x[order[:n]]
    return out


def temperature(x: np.ndarray, t: float) -> np.ndarray:
    """Logits / t: below 1 the likely gets likelier, above 1 the odds even out; 0 is greedy."""
    if t == 0.0:
        return greedy(x, True)
    with np.errstate(over="ignore"):  # a tiny t sends all but the largest to -inf, as it should
        return (x - x.max()) / t


def draw(x: np.ndarray, u: float) -> int:
    """The first id where the running sum of softmax(x) exceeds u of the whole; u in [0, 1)."""
    alive = np.flatnonzero(np.isfinite(x))
    running = np.cumsum(np.exp(x[alive] - x[alive].max()))
    at = int(np.searchsorted(running, u * running[-1], side="right"))
    return int(alive[min(at, alive.size - 1)])


SAMPLERS: tuple[Sampler, ...] = (
    Sampler(
        "greedy", bool, False, 0, "always the likeliest token; nothing is left to chance", greedy
    ),
    Sampler("top_k", int, 40, -1, "only the k likeliest tokens; 0 is off", top_k),
    Sampler(
        "top_p", float, 0.95, 0, "only the likeliest tokens that together reach p; 1 is off", top_p
    ),
    Sampler(
        "temperature", float, 0.8, 0, "below 1 safer, above 1 wilder, 0 is greedy", temperature
    ),
)
