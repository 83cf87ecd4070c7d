"""The running sum is float32."""

import numpy as np

FAILS = {
    "draw_large": "draw-float32",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there].astype(np.float32))
    return int(there[np.searchsorted(running, u * running[-1])])
