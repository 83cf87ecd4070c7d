"""Shares of the logits themselves."""

import numpy as np

FAILS = {
    "draw_many_law": "draw-many-law",
    "draw_many_seed": "draw-many-dependent",
}


def draw_many(logits, n, seed):
    q = np.where(np.isinf(logits), 0, np.abs(logits))
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    us = np.random.default_rng(seed).random(n)
    return there[np.searchsorted(running, us * running[-1])]
