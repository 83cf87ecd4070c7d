"""The place among what is left is taken for the id."""

import numpy as np

FAILS = {
    "draw_values": "draw-position",
    "draw_ends": "x",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(np.searchsorted(running, u * running[-1]))
