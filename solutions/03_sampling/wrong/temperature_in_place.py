"""Divides the caller's logits."""

import numpy as np

FAILS = {
    "temperature_contract": "input-changed",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t <= 0:
        return np.where(np.arange(len(x)) == greedy(x), x, -np.inf)
    logits[:] = x / t
    return x / t
