"""Numbers u at even distances: the counts are perfect, the order is no chance."""

import numpy as np

FAILS = {
    "draw_many_law": "draw-many-too-even",
    "draw_many_seed": "draw-many-dependent",
}


def draw_many(logits, n, seed):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    us = (np.arange(n) + np.random.default_rng(seed).random()) / n
    return there[np.searchsorted(running, us * running[-1])]
