"""Multiplies by t."""

import numpy as np

FAILS = {
    "temperature_values": "temperature-multiplied",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t <= 0:
        return np.where(np.arange(len(x)) == greedy(x), x, -np.inf)
    return x * t
