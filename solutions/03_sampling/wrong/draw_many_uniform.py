"""Every token that can come is as likely."""

import numpy as np

FAILS = {
    "draw_many_law": "draw-many-law",
    "draw_many_seed": "draw-many-dependent",
}


def draw_many(logits, n, seed):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there] > 0)
    us = np.random.default_rng(seed).random(n)
    return there[np.searchsorted(running, us * running[-1])]
