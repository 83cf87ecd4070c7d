"""Log-probabilities."""

import numpy as np

FAILS = {
    "softmax_values": "softmax-log",
    "softmax_of_any_size": "softmax-overflow",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return np.log(e / e.sum())
