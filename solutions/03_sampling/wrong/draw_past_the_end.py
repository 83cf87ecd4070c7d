"""A sum that rounding leaves below u leads past the last token that can come."""

import numpy as np

FAILS = {
    "draw_ends": "draw-last",
}


def draw(logits, u):
    q = softmax(logits)
    total = 0.0
    for i, share in enumerate(q):
        total += share * (1 - 1e-15)
        if share > 0 and total >= u:
            return i
    return len(q) - 1
