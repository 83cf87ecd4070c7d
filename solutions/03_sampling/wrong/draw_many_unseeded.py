"""The seed is not used."""

import numpy as np

FAILS = {
    "draw_many_seed": "draw-many-unseeded",
}


def draw_many(logits, n, seed):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    us = np.random.default_rng().random(n)
    return there[np.searchsorted(running, us * running[-1])]
