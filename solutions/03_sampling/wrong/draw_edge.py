"""A u on the edge of two shares goes to the second."""

import numpy as np

FAILS = {
    "draw_ends": "draw-edge",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    at = np.searchsorted(running, u * running[-1], side="right")
    return int(there[min(at, len(there) - 1)])
