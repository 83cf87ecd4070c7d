"""The line is filled from its end."""

import numpy as np

FAILS = {
    "draw_values": "draw-reversed",
    "draw_ends": "draw-first",
    "draw_large": "wrong-value",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(there[np.searchsorted(running, (1 - u) * running[-1])])
