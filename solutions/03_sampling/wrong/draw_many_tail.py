"""What is missing from 1 falls to the last token."""

import numpy as np

FAILS = {
    "draw_many_law": "draw-many-law",
    "draw_many_seed": "draw-many-dependent",
}


def draw_many(logits, n, seed):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    us = np.random.default_rng(seed).random(n)
    return there[np.searchsorted(running, np.minimum(us * 1.1, running[-1]))]
