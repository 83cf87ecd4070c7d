"""Divides probabilities."""

import numpy as np

FAILS = {
    "temperature_values": "temperature-of-probabilities",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t <= 0:
        return np.where(np.arange(len(x)) == greedy(x), x, -np.inf)
    return softmax(x) / t
