"""0 is replaced by a small number."""

import numpy as np

FAILS = {
    "temperature_zero": "temperature-zero-clamped",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    t = max(t, 1e-6)
    return x / t
