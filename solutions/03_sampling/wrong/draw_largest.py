"""u is not used."""

import numpy as np

FAILS = {
    "draw_values": "draw-largest",
    "draw_ends": "draw-last",
    "draw_large": "wrong-value",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(np.argmax(q))
