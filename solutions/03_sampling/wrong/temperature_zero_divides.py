"""0 is divided by."""

import numpy as np

FAILS = {
    "temperature_zero": "temperature-zero-divides",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    return x / t
