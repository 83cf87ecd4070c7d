"""The mean is subtracted, which does not help a row of wide spread."""

import numpy as np

FAILS = {
    "softmax_of_any_size": "softmax-overflow",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x[np.isfinite(x)].mean())
    return e / e.sum()
