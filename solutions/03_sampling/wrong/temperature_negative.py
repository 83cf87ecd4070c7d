"""Only exactly 0 is greedy: a negative t turns the odds around."""

import numpy as np

FAILS = {
    "temperature_zero": "temperature-negative-divides",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t == 0:
        return np.where(np.arange(len(x)) == greedy(x), x, -np.inf)
    return x / t
