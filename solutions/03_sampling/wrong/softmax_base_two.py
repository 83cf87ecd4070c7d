"""2^x for e^x."""

import numpy as np

FAILS = {
    "softmax_values": "softmax-base-two",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp2(x - x.max())
    return e / e.sum()
