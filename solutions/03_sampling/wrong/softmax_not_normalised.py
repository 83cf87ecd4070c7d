"""Exponentials without their sum."""

import numpy as np

FAILS = {
    "softmax_values": "softmax-not-normalised",
    "softmax_of_any_size": "softmax-not-normalised",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return e
