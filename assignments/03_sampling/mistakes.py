"""What each known mistake in assignment 3 would give: one table per hole, tag -> function.

Owns: the near misses. A key is a tag of hints.yaml; a value takes the arguments of the hole, for
mirostat those of a run, for the sampler a row and its settings. Most are said in terms of right
samplers (other arguments, another order). Must not know: checks, points, submissions.
Read before: dense.py.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from dense import alive, chain, mirostat, only, penalised, typical, union

from minengine import oracle
from minengine.candidates import top_k
from minengine.draws import Mirostat


def count(row: np.ndarray) -> int:
    return len(alive(row))


def prefix(logits, order, p: float, most: bool = False) -> list[int]:
    """The first tokens of an order, as many as hold p of the mass (``most``: that stay below)."""
    q = oracle.softmax(logits)
    sums = [float(q[list(order[: n + 1])].sum()) for n in range(len(order))]
    n = sum(s < p for s in sums)
    return list(order[: n if most else n + 1])


def surprise(logits) -> tuple[np.ndarray, float]:
    """(surprise of each token, their entropy), in nats; of tokens that are there."""
    q = oracle.softmax(logits)
    s = -np.log(np.where(q > 0, q, 1))
    return s, float((q * s).sum())


def by_distance(logits, p, distance) -> np.ndarray:
    ids = sorted(alive(logits), key=lambda i: distance(i))
    return only(logits, prefix(logits, ids, p))


SOFTMAX = {
    "softmax-not-normalised": lambda x: np.exp(oracle.f64(x) - np.max(x)),
    "softmax-log": lambda x: np.log(oracle.softmax(x)),
}

GREEDY = {
    "greedy-last-tie": lambda x: len(x) - 1 - int(np.argmax(x[::-1])),
    "greedy-magnitude": lambda x: int(np.argmax(np.abs(np.where(np.isinf(x), 0, x)))),
    "greedy-least": lambda x: int(np.argmin(x)),
}

TEMPERATURE = {
    "temperature-multiplied": lambda x, t: oracle.f64(x) * t,
    "temperature-of-probabilities": lambda x, t: oracle.softmax(x) / t,
    "temperature-all-ties": lambda x, t: only(x, np.flatnonzero(x == np.max(x))),
    "temperature-last-tie": lambda x, t: oracle.temperature(x[::-1], t)[::-1],
    "temperature-zero-is-off": lambda x, t: oracle.f64(x),
    "temperature-negative-divides": lambda x, t: oracle.f64(x) / t,
}

TOP_K = {
    "top-k-one-more": lambda x, k: oracle.top_k(x, k + 1),
    "top-k-one-less": lambda x, k: oracle.top_k(x, k - 1) if k > 1 else only(x, []),
    "top-k-smallest": lambda x, k: only(x, alive(oracle.top_k(-oracle.f64(x), k))),
    "ids-not-mapped-back": lambda x, k: only(x, range(k)),
    "row-sorted": lambda x, k: np.sort(oracle.top_k(x, k))[::-1],
}


def above(x, bound) -> np.ndarray:
    """What reaches a bound, and the likeliest in any case."""
    return union(only(x, np.flatnonzero(x >= bound)), oracle.top_k(x, 1))


TOP_P = {
    "top-p-crossing-dropped": lambda x, p: only(
        x, prefix(x, np.argsort(-x, kind="stable"), p, most=True)
    ),
    "top-p-one-more": lambda x, p: oracle.top_k(x, count(oracle.top_p(x, p)) + 1),
    "top-p-ascending": lambda x, p: only(x, prefix(x, np.argsort(x, kind="stable"), p)),
    "top-p-unsorted": lambda x, p: only(x, prefix(x, np.arange(len(x)), p)),
    "ids-not-mapped-back": lambda x, p: only(x, range(count(oracle.top_p(x, p)))),
    "row-sorted": lambda x, p: np.sort(oracle.top_p(x, p))[::-1],
    "top-p-each-above-p": lambda x, p: above(x, np.log(p) - np.log(oracle.softmax(x)) + x),
}


MIN_P = {
    "min-p-absolute": lambda x, p: above(x, np.log(p) - np.log(oracle.softmax(x)) + x),
    "min-p-of-logits": lambda x, p: above(x, p * np.max(x)),
    "min-p-log-base": lambda x, p: above(x, np.max(x) + np.log2(p)),
}

TYPICAL = {
    "typical-is-top-p": oracle.top_p,
    "typical-farthest": lambda x, p: by_distance(
        x, p, lambda i: -abs(surprise(x)[0][i] - surprise(x)[1])
    ),
    "typical-log-base": lambda x, p: by_distance(
        x, p, lambda i: abs(surprise(x)[0][i] - surprise(x)[1] / math.log(2))
    ),
    "typical-crossing-dropped": lambda x, p: only(x, dropped_last(x, p)),
    "row-sorted": lambda x, p: np.sort(typical(x, p))[::-1],
    "typical-unweighted": lambda x, p: by_distance(
        x, p, lambda i: abs(surprise(x)[0][i] - np.mean(surprise(x)[0][alive(x)]))
    ),
}


def dropped_last(x, p) -> list[int]:
    s, h = surprise(x)
    order = sorted(alive(x), key=lambda i: abs(s[i] - h))
    return prefix(x, order, p, most=True)


def per_occurrence(x, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    for token in history[-last_n:]:
        x = penalised(x, [token], 1, repeat)
    return penalised(x, history, last_n, 1.0, frequency, presence)


def penalties_before(x, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    x = penalised(x, history, last_n, 1.0, frequency, presence)
    return penalised(x, history, last_n, repeat)


def said_once(x, history, last_n, *values):
    return penalised(x, sorted(set(history)), last_n, *values)


REPEAT = {
    "penalty-divides-negative": lambda x, h, n, r, *fp: np.where(
        x <= 0, penalised(x, h, n, 1 / r, *fp), penalised(x, h, n, r, *fp)
    ),
    "penalty-multiplies-positive": lambda x, h, n, r, *fp: np.where(
        x <= 0, penalised(x, h, n, r, *fp), penalised(x, h, n, 1 / r, *fp)
    ),
    "penalty-inverted": lambda x, h, n, r, *fp: penalised(x, h, n, 1 / r, *fp),
    "penalty-repeat-subtracted": lambda x, h, n, r, *fp: penalised(
        penalised(x, h, n, 1.0, 0.0, r - 1), h, n, 1.0, *fp
    ),
}
COUNTS = {
    "penalty-per-occurrence": per_occurrence,
    "penalty-swapped": lambda x, h, n, r, f, p: penalised(x, h, n, r, p, f),
    "penalty-frequency-once": said_once,
    "penalty-presence-counted": lambda x, h, n, r, f, p: penalised(x, h, n, r, f + p, 0.0),
    "penalty-added": lambda x, h, n, r, f, p: penalised(x, h, n, r, -f, -p),
    "penalty-before-repeat": penalties_before,
}
WINDOW = {
    "penalty-window-long": lambda x, h, n, *v: penalised(x, h, n + 1, *v),
    "penalty-window-short": lambda x, h, n, *v: penalised(x, h, max(n - 1, 0), *v),
    "penalty-oldest": lambda x, h, n, *v: penalised(x, h[:n], max(n, 0), *v),
    "penalty-window-ignored": lambda x, h, n, *v: penalised(x, h, len(h), *v),
}
NONE_OF_THEM = {"penalty-zero-is-all": lambda x, h, n, *v: penalised(x, h, -1, *v)}
ALL_OF_THEM = {
    "penalty-minus-one-slices": lambda x, h, n, *v: penalised(x, h[1:], -1, *v),
    "penalty-minus-one-is-off": lambda x, h, n, *v: oracle.f64(x),
}


def draw_descending(x, u: float) -> int:
    order = np.argsort(-oracle.f64(x), kind="stable")
    return int(order[oracle.draw(oracle.f64(x)[order], u)])


def neighbour(x, u: float, step: int) -> int:
    """The token so many places on, of those that can come."""
    there = alive(x)
    at = int(np.searchsorted(there, oracle.draw(x, u))) + step
    return int(there[min(max(at, 0), len(there) - 1)])


DRAW = {
    "draw-position": lambda x, u: int(np.searchsorted(alive(x), oracle.draw(x, u))),
    "draw-descending": draw_descending,
    "draw-one-late": lambda x, u: neighbour(x, u, 1),
    "draw-one-early": lambda x, u: neighbour(x, u, -1),
    "draw-reversed": lambda x, u: oracle.draw(x, 1 - u),
    "draw-uniform": lambda x, u: int(alive(x)[int(u * len(alive(x)))]),
    "draw-largest": lambda x, u: int(np.argmax(x)),
}

# Mirostat: a table of states that remember, keep or learn in another way ----------------------


class StartsAtTau(Mirostat):
    def __post_init__(self) -> None:
        self.mu = self.tau


class Forgets(Mirostat):
    def keep(self, c):
        self.mu = 2 * self.tau
        return super().keep(c)


class Adds(Mirostat):
    def learn(self) -> None:
        before = self.mu
        super().learn()
        self.mu = 2 * before - self.mu


class Swapped(Mirostat):
    """tau where eta should be, in the update."""

    def learn(self) -> None:
        self.tau, self.eta = self.eta, self.tau
        super().learn()
        self.tau, self.eta = self.eta, self.tau


class Nats(Mirostat):
    def keep(self, c):
        bits, self.mu = self.mu, self.mu / math.log(2)
        kept = super().keep(c)
        self.mu = bits
        return kept

    def learn(self) -> None:
        self.mu -= self.eta * (-math.log(self.drawn) - self.tau)


class NatsLearnt(Mirostat):
    def learn(self) -> None:
        self.mu -= self.eta * (-math.log(self.drawn) - self.tau)


class KeepsMore(Mirostat):
    def keep(self, c):
        return top_k(c, len(super().keep(c)) + 1)


class KeepsSurprising(Mirostat):
    def keep(self, c):
        n = len(super().keep(c)) % len(c)
        return c.sorted().take(slice(n, None))


class KeepsAll(Mirostat):
    def keep(self, c):
        return c.sorted()


class WholeRow(Mirostat):
    """The surprise of the token before the others were dropped."""

    def keep(self, c):
        kept = super().keep(c)
        self.share = float(c.sorted().probabilities()[: len(kept)].sum())
        return kept

    def learn(self) -> None:
        self.drawn *= self.share
        super().learn()


class Hundred(Mirostat):
    """V taken for the number of tokens that the estimate looks at."""

    def keep(self, c):
        self.n_vocab = min(len(c), 100)
        return super().keep(c)


class PairShort(Mirostat):
    """A pair less than there are, which tells where they are few."""

    def _top(self, p):
        return super()._top(p[:-1])


class LearnsFromLargest(Mirostat):
    def learn(self) -> None:
        self.drawn = self.largest
        super().learn()

    def keep(self, c):
        kept = super().keep(c)
        self.largest = float(kept.probabilities().max())
        return kept


class TooFewBits(Mirostat):
    """e^mu for 2^mu."""

    def keep(self, c):
        bits, self.mu = self.mu, self.mu / math.log(2)
        kept = super().keep(c)
        self.mu = bits
        return kept


BOTH = {
    "mirostat-starts-at-tau": StartsAtTau,
    "mirostat-forgets": Forgets,
    "mirostat-adds": Adds,
    "mirostat-swapped": Swapped,
    "mirostat-surprise-of-all": WholeRow,
    "mirostat-keeps-more": KeepsMore,
    "mirostat-keeps-all": KeepsAll,
    "mirostat-nats-learnt": NatsLearnt,
    "mirostat-learns-from-largest": LearnsFromLargest,
}
STATES = {
    2: BOTH | {"mirostat-nats": Nats, "mirostat-keeps-surprising": KeepsSurprising},
    1: BOTH
    | {
        "mirostat-vocabulary": Hundred,
        "mirostat-power": TooFewBits,
        "mirostat-pairs": PairShort,
    },
}
MIROSTAT = {
    version: {tag: partial(mirostat, version, make=make) for tag, make in table.items()}
    for version, table in STATES.items()
}

# The sampler: the chain in another order ---------------------------------------------------------


FILTERS = ("top_k", "typical_p", "top_p", "min_p")


def split(settings: dict) -> tuple[dict, dict]:
    """What comes before the filters, and the filters."""
    late = {n: v for n, v in settings.items() if n in FILTERS}
    return {n: v for n, v in settings.items() if n not in (*FILTERS, "temp")}, late


def temperature_first(logits, temp=1.0, **s):
    early, late = split(s)
    return chain(chain(logits, **early) / temp, **late)


def apart(logits, temp=1.0, **s):
    """Every filter looks at the whole row; what all of them keep is kept."""
    early, late = split(s)
    rows = [chain(logits, **early, **{name: value}) for name, value in late.items()]
    return oracle.temperature(np.minimum.reduce(rows), temp)


def filters_reversed(logits, **s):
    order = ("penalties", "min_p", "top_p", "typical_p", "top_k", "temperature")
    return chain(logits, order=order, **s)


def penalties_last(logits, **s):
    order = ("top_k", "typical_p", "top_p", "min_p", "penalties", "temperature")
    return chain(logits, order=order, **s)


def bias_last(logits, bias=None, **s):
    row = chain(logits, **s)
    for token, value in (bias or {}).items():
        row[token] += value
    return row


SAMPLER = {
    "sampler-temperature-first": temperature_first,
    "sampler-filters-apart": apart,
    "sampler-filters-reversed": filters_reversed,
    "sampler-penalties-last": penalties_last,
    "sampler-bias-last": bias_last,
    "sampler-bias-ignored": lambda logits, bias=None, **s: chain(logits, **s),
    "sampler-history-ignored": lambda logits, history=(), **s: chain(logits, **s),
}

PARTS = {
    "softmax": SOFTMAX,
    "greedy": GREEDY,
    "temperature": TEMPERATURE,
    "top_k": TOP_K,
    "top_p": TOP_P,
    "min_p": MIN_P,
    "typical": TYPICAL,
    "penalties": REPEAT | COUNTS | WINDOW,
    "draw": DRAW,
}
