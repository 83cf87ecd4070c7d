"""u of 0 reaches a token that is ruled out."""

import numpy as np

FAILS = {
    "draw_ends": "draw-first",
}


def draw(logits, u):
    running = np.cumsum(softmax(logits))
    return int(np.searchsorted(running, u * running[-1]))
