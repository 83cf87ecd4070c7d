"""The token after the one that u falls into."""

import numpy as np

FAILS = {
    "draw_values": "draw-one-late",
    "draw_ends": "draw-first",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(there[min(np.searchsorted(running, u * running[-1]) + 1, len(there) - 1)])
