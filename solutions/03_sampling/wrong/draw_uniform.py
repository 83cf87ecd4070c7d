"""Every token that can come is as likely."""

import numpy as np

FAILS = {
    "draw_values": "draw-uniform",
    "draw_ends": "draw-edge",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(there[int(u * len(there))])
