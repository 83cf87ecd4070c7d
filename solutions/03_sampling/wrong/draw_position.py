"""The place among what is left is taken for the id."""

import numpy as np

FAILS = {
    "draw_values": "draw-position",
    "draw_ends": "draw-first",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "wrong-value",
    "mirostat1_run": "wrong-value",
}


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(np.searchsorted(running, u * running[-1]))
