"""Tokens that are ruled out are drawn now and then."""

import numpy as np

FAILS = {
    "draw_many_law": "draw-many-ruled-out",
}


def draw_many(logits, n, seed):
    q = 0.99 * softmax(logits) + 0.01 / len(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    us = np.random.default_rng(seed).random(n)
    return there[np.searchsorted(running, us * running[-1])]
