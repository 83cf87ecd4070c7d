"""NaN is taken for -inf, and a broken model goes unnoticed."""

import numpy as np

FAILS = {
    "softmax_refuses": "softmax-accepts",
}


def softmax(logits):
    x = np.nan_to_num(np.asarray(logits, np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return e / e.sum()
