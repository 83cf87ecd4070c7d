"""The token before the one that u falls into."""

import numpy as np

FAILS = {
    "draw_values": "draw-one-early",
    "draw_ends": "draw-last",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(there[max(np.searchsorted(running, u * running[-1]) - 1, 0)])
