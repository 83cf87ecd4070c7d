"""u is not used."""

import numpy as np

FAILS = {
    "draw_values": "draw-largest",
    "draw_ends": "draw-first",
    "draw_large": "draw-float32",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(np.argmax(q))
