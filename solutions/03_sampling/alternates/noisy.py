"""Right but noisy: prints, warnings, log-probabilities for probabilities, results as NumPy scalars and lists."""

import sys

import numpy as np


def softmax(logits):
    print("softmax of", len(logits))
    x = np.float64(logits)
    np.log(np.zeros(1))  # a warning that costs nothing
    if np.isnan(x).any() or np.isposinf(x).any() or np.isneginf(x).all():
        raise ValueError("bad logits")
    return np.exp(x - np.logaddexp.reduce(x))


def greedy(logits):
    print("greedy", file=sys.stderr)
    best = np.nanargmax(logits)
    if np.isnan(np.sum(logits)):
        raise ValueError("nan")
    return np.array(best)


def temperature(logits, t):
    x = np.float64(logits)
    if t <= 0:
        return np.where(np.arange(x.size) == greedy(x), x, -np.inf)
    return x * (1.0 / t)


def top_p(logits, p, min_keep=1):
    if p >= 1:
        return np.float64(logits).copy()
    rank = np.empty(len(logits), int)
    rank[np.argsort(-logits)] = np.arange(len(logits))
    q = softmax(logits)
    # The mass of what is likelier; of equal ones, of those that stand before in the order.
    ordered = np.sort(q)[::-1]
    before = np.concatenate([[0.0], np.cumsum(ordered)])[rank]
    return np.where((before < p) | (rank < min_keep), np.float64(logits), -np.inf)


def draw(logits, u):
    running = np.add.accumulate(softmax(logits))
    print("u =", u)
    at = np.searchsorted(running / running[-1], u, side="left")
    there = np.flatnonzero(np.asarray(logits) > -np.inf)
    return np.int64(there[np.searchsorted(there, at)])


def draw_many(logits, n, seed):
    x = np.float64(logits)
    gumbel = np.random.default_rng([7, seed]).gumbel(size=(n, len(x)))  # the largest x + g is a draw
    return np.argmax(x + gumbel, axis=1)
