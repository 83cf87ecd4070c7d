"""The result takes the type of the logits."""

import numpy as np

FAILS = {
    "softmax_contract": "dtype-narrow",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return (e / e.sum()).astype(logits.dtype)
