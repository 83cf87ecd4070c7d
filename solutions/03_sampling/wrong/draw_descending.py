"""Walks from the likeliest, not by ids."""

import numpy as np

FAILS = {
    "draw_values": "draw-descending",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.argsort(-q, kind="stable")
    running = np.cumsum(q[there])
    return int(there[np.searchsorted(running, u * running[-1])])
