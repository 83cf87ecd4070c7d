"""u is not used."""

import numpy as np

FAILS = {
    "draw_values": "draw-largest",
    "draw_ends": "x",
    "draw_large": "x",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(np.argmax(q))
