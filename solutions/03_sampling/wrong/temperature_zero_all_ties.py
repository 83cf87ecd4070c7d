"""At 0 every largest logit stays."""

import numpy as np

FAILS = {
    "temperature_zero": "temperature-all-ties",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t <= 0:
        return np.where(x == x.max(), x, -np.inf)
    return x / t
