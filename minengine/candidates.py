"""The tokens that may come next, and the samplers that thin them out or weigh them anew.

Owns: Candidates, and every sampler that needs nothing but them. Must not know: the history of a
sequence, random numbers, the network. Read after: ``sampling.py``, whose table names these.

Arithmetic is float32 and in llama.cpp's order, sums from left to right over the candidates as they
stand: so the same candidates survive. A sampler may take away candidates (they are gone) or set
logits to -inf (they stay, with probability 0); llama.cpp tells the two apart, and so does this.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

F = np.float32


@dataclass(frozen=True, eq=False)
class Candidates:
    """n tokens: ids int32 (n,), logits float32 (n,); ``descending``: are they in that order."""

    ids: np.ndarray
    logits: np.ndarray
    descending: bool = False

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, which: np.ndarray | slice, *, descending: bool = False) -> Candidates:
        """Some of the candidates, by index or mask."""
        return Candidates(self.ids[which], self.logits[which], descending)

    def weigh(self, logits: np.ndarray, *, descending: bool = False) -> Candidates:
        """The same tokens with other logits."""
        return Candidates(self.ids, logits.astype(F, copy=False), descending)

    def sorted(self) -> Candidates:
        """In descending order of logits; of equal ones the one that stood first."""
        if self.descending:
            return self
        return self.take(np.argsort(-self.logits, kind="stable"), descending=True)

    def probabilities(self) -> np.ndarray:
        """softmax(logits), float32 (n,)."""
        with np.errstate(over="ignore"):  # 3e38 - -3e38
            e = np.exp(self.logits - self.logits.max())
        return e / np.cumsum(e)[-1]  # cumsum adds from left to right, sum does not


def top_n_sigma(c: Candidates, n: float) -> Candidates:
    """Rule out what lies more than n standard deviations below the largest logit; 0 or less is off.

    Mean and deviation are over the finite logits. Tang et al. 2024, "Top-nsigma", equation 2.
    """
    if n <= 0 or len(c) <= 1:
        return c
    alive = c.logits[c.logits != -np.inf]
    if not alive.size:
        return c
    mean = np.cumsum(alive)[-1] / F(alive.size)
    squares = np.cumsum((alive - mean) ** 2)[-1]
    least = c.logits.max() - F(n) * np.sqrt(squares / F(alive.size))
    return c.weigh(np.where(c.logits < least, F(-np.inf), c.logits), descending=c.descending)


def top_k(c: Candidates, k: int) -> Candidates:
    """Keep the k largest logits, in descending order; of equal ones the lowest ids; 0 is off.

    A partition finds the k-th value in O(n), where sorting 262,144 logits for each token would show
    in decoding.
    """
    if k <= 0:
        return c
    if not c.descending and k < len(c):
        least = np.partition(c.logits, len(c) - k)[len(c) - k]
        keep = c.logits > least
        keep[np.flatnonzero(c.logits == least)[: k - int(keep.sum())]] = True
        c = c.take(keep)
    return c.sorted().take(slice(k), descending=True)


def typical_p(c: Candidates, p: float) -> Candidates:
    """Keep the tokens whose surprise is nearest to the entropy, until they sum to more than p; 1 is
    off.

    Meister et al. 2022, "Locally Typical Sampling", section 4.
    """
    if p >= 1 or not len(c):
        return c
    c = c.sorted()
    q = c.probabilities()
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = -np.log(q)  # infinite for probability 0: these come last
        entropy = np.cumsum(np.where(q > 0, q * surprise, F(0)))[-1]
    order = np.argsort(np.abs(surprise - entropy), kind="stable")
    over = np.flatnonzero(np.cumsum(q[order]) > F(p))
    return c.take(order[: over[0] + 1] if over.size else order)


def top_p(c: Candidates, p: float) -> Candidates:
    """Keep the shortest prefix of the descending probabilities whose sum reaches p; at least one; 1
    or more is off.

    Holtzman et al. 2020, "The Curious Case of Neural Text Degeneration", section 3.1.
    """
    if p >= 1 or not len(c):
        return c
    q = c.probabilities()  # summed in the order of the candidates, before they are sorted
    order = np.arange(len(c)) if c.descending else np.argsort(-c.logits, kind="stable")
    reached = np.flatnonzero(np.cumsum(q[order]) >= F(p))
    return c.take(order[: reached[0] + 1] if reached.size else order, descending=True)


def min_p(c: Candidates, p: float) -> Candidates:
    """Keep the tokens at least p times as likely as the likeliest; 0 is off.

    Nguyen et al. 2024, "Min-p Sampling", section 3.
    """
    if F(p) <= 0 or not len(c):
        return c
    keep = c.logits >= c.logits.max() + np.log(F(p))
    if not keep.any():  # p above 1
        keep[np.argmax(c.logits)] = True
    return c.take(keep, descending=c.descending)


def xtc(c: Candidates, probability: float, threshold: float, chance: float) -> Candidates:
    """With a probability, take away all but the least likely of the tokens above a threshold.

    "Exclude top choices": what is left is still likely, and not what everybody says. ``chance`` is
    the uniform number that decides; a threshold above 0.5 can have one token above it at most, and
    is off.
    """
    if probability <= 0 or threshold > 0.5 or len(c) < 2 or chance > probability:
        return c
    c = c.sorted()
    q = c.probabilities()
    below = np.flatnonzero(q < F(threshold))
    last = max(int(below[0]) if below.size else len(c), 1) - 1
    return c.take(slice(last, None), descending=True)


def temperature(c: Candidates, t: float, spread: float = 0.0, exponent: float = 1.0) -> Candidates:
    """Logits / t: below 1 the likely gets likelier, above 1 the odds even out; 0 is greedy.

    With a spread r the temperature follows the entropy H of the n candidates: from max(0, t - r) to
    t + r by (H / ln n)^exponent.
    """
    if spread > 0:
        if len(c) <= 1:
            return c
        c = c.sorted()
        q = c.probabilities()
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(q > 0, q * np.log(q), F(0))
        entropy = -np.cumsum(terms)[-1]
        low, high = max(F(0), F(t) - F(spread)), F(t) + F(spread)
        share = entropy / -np.log(F(1) / F(len(c)))
        t = float(low + (high - low) * F(max(share, F(0))) ** F(exponent))
    if F(t) <= 0:  # in single precision the least of them are 0
        return greedy(c)
    with np.errstate(over="ignore"):
        x = c.logits / F(t)
        if not np.isfinite(x.max()):  # a tiny t: all but the largest become -inf, as they should
            x = (c.logits - c.logits.max()) / F(t)
    return c.weigh(x, descending=c.descending)


def greedy(c: Candidates) -> Candidates:
    """Rule out all but the largest logit; of equal ones the first stays."""
    logits = np.full_like(c.logits, -np.inf)
    best = int(np.argmax(c.logits))
    logits[best] = c.logits[best]
    return c.weigh(logits)
