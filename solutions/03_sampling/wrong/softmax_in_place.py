"""Subtracts the largest in the caller's array."""

import numpy as np

FAILS = {
    "softmax_contract": "input-changed",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    logits -= logits.max()
    e = np.exp(logits.astype(np.float64))
    return e / e.sum()
