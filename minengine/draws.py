"""Samplers that end a chain: they pick one of the candidates.

Owns: the draw, mirostat and adaptive-p, with what they remember. Must not know: the history of a
sequence, the network. Read before: ``candidates.py``. Each uses one uniform number u a token, and
learns from the token once that has been taken: a grammar may refuse it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minengine.candidates import Candidates, F, top_k

M = 100  # tokens from which mirostat estimates the exponent of the distribution
WIDTH, PEAK, SHARPNESS = F(0.3), F(5), F(10)  # of adaptive-p's preference


def draw(c: Candidates, u: float) -> int:
    """Index of the first candidate where the running sum of probabilities reaches u in [0, 1)."""
    with np.errstate(over="ignore"):
        e = np.exp(c.logits - c.logits.max())
    running = np.cumsum(e, dtype=np.float64)
    alive = np.flatnonzero(e)
    at = int(np.searchsorted(running, u * running[-1], side="left"))
    return int(max(at, alive[0]))  # u = 0 reaches even a candidate of probability 0


@dataclass
class Dist:
    """A plain draw."""

    def __call__(self, c: Candidates, u: float) -> int:
        return draw(c, u)

    def learn(self) -> None:
        """There is nothing to remember."""


@dataclass
class Mirostat:
    """Keeps the surprise of the text near ``tau`` bits a token: what came out moves the bound mu.

    Version 1 estimates a Zipf exponent and keeps k tokens by it; version 2 drops tokens of more
    than mu bits. Then ``mu -= eta (surprise - tau)``. Basu et al. 2021, "Mirostat", algorithms 1
    and 2.
    """

    version: int
    tau: float
    eta: float
    n_vocab: int = 0
    mu: float = 0.0
    drawn: float = 1.0  # probability of the token that was drawn last

    def __post_init__(self) -> None:
        self.mu = 2 * self.tau

    def __call__(self, c: Candidates, u: float) -> int:
        kept = self.keep(c)
        at = draw(kept, u)
        self.drawn = float(kept.probabilities()[at])
        return at

    def keep(self, c: Candidates) -> Candidates:
        """The likeliest tokens, as many as mu allows."""
        c = c.sorted()
        p = c.probabilities()
        return top_k(c, self._top(p) if self.version == 1 else self._below(p))

    def learn(self) -> None:
        """Move the bound by the surprise of the token that was drawn."""
        self.mu -= self.eta * (-math.log2(max(self.drawn, 1e-45)) - self.tau)

    def _top(self, p: np.ndarray) -> int:
        """k = (e 2^mu / (1 - V^-e))^(1/s), e = s - 1, from Zipf's exponent s of the likeliest M.

        A flat distribution has s = 0, and one of k = 0 or infinite; tokens of probability 0 have no
        exponent.
        """
        alive = p[p > 0][:M].astype(np.float64)
        i = np.arange(len(alive) - 1)
        t, b = np.log((i + 2) / (i + 1)), np.log(alive[:-1] / alive[1:])
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            s = np.sum(t * b) / np.sum(t * t)
            k = ((s - 1) * np.exp2(self.mu) / (1 - np.power(self.n_vocab or len(p), 1 - s))) ** (
                1 / s
            )
        return len(p) if np.isnan(k) else int(min(max(k, 1), len(p)))

    def _below(self, p: np.ndarray) -> int:
        with np.errstate(divide="ignore"):
            over = np.flatnonzero(-np.log2(p) > self.mu)
        return max(int(over[0]), 1) if over.size else len(p)


@dataclass
class Adaptive:
    """Prefers tokens whose probability is near a target, which moves so that the average comes out.

    ``logit = 5 - 10 d^2 / (1 + d)``, ``d = |p - t| / 0.3``, with t = 2 target - the decaying mean
    of the probabilities that were drawn. A negative target is off.
    """

    target: float
    decay: float
    total: float = 0.0
    weight: float = 0.0
    drawn: float = 0.0  # probability of the token that was drawn last

    def __post_init__(self) -> None:
        self.decay = min(max(self.decay, 0.0), 0.99)
        self.total, self.weight = self.target / (1 - self.decay), 1 / (1 - self.decay)

    def __call__(self, c: Candidates, u: float) -> int:
        if self.target < 0:
            return draw(c, u)
        p = c.probabilities()
        at = draw(self.prefer(c, p), u)
        self.drawn = float(p[at])
        return at

    def prefer(self, c: Candidates, p: np.ndarray) -> Candidates:
        """The candidates weighed by how near their probabilities p are to the target."""
        goal = 2 * min(max(self.target, 0.0), 1.0) - self.total / self.weight
        d = np.abs(p - F(min(max(goal, 0.0), 1.0))) / WIDTH
        logits = np.where(c.logits == -np.inf, F(-np.inf), PEAK - SHARPNESS * d * d / (F(1) + d))
        return c.weigh(logits)

    def learn(self) -> None:
        """Note the probability of the token that was drawn."""
        self.total = self.drawn + self.decay * self.total
        self.weight = 1 + self.decay * self.weight
