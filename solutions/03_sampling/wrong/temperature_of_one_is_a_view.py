"""t of 1 gives the caller's own array back."""

import numpy as np

FAILS = {
    "temperature_contract": "result-is-a-view",
}


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t <= 0:
        return np.where(np.arange(len(x)) == greedy(x), x, -np.inf)
    if t == 1 and logits.dtype != np.float16:
        return logits
    return x / t
