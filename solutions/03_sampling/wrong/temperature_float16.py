"""The result takes the type of the logits."""

import numpy as np

FAILS = {
    "temperature_contract": "dtype-narrow",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t <= 0:
        return np.where(np.arange(len(x)) == greedy(x), x, -np.inf)
    return (x / t).astype(logits.dtype)
