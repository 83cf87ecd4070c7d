"""The generator is seeded for every draw."""

import numpy as np

FAILS = {
    "draw_many_law": "draw-many-law",
    "draw_many_seed": "draw-many-dependent",
}


def draw_many(logits, n, seed):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    us = np.array([np.random.default_rng(seed).random() for _ in range(n)])
    return there[np.searchsorted(running, us * running[-1])]
