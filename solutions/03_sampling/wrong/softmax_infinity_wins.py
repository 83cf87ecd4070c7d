"""+inf takes all."""

import numpy as np

FAILS = {
    "softmax_refuses": "softmax-accepts",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isposinf(x).any():
        return np.isposinf(x) / np.isposinf(x).sum()
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return e / e.sum()
