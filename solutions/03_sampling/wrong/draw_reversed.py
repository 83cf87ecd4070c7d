"""The line is filled from its end."""

import numpy as np

FAILS = {
    "draw_values": "draw-reversed",
    "draw_ends": "x",
    "draw_large": "x",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(there[np.searchsorted(running, (1 - u) * running[-1])])
