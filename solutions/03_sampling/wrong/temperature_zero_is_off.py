"""0 changes nothing."""

import numpy as np

FAILS = {
    "temperature_zero": "temperature-zero-is-off",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t <= 0:
        return x
    return x / t
