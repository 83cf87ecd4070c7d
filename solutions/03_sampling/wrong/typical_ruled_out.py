"""0 log 0 is NaN, and so is the entropy."""

import numpy as np

FAILS = {
    "typical_ruled_out": "typical-ruled-out",
}


def typical(logits, p):
    x = np.array(logits, np.float64)
    if p >= 1:
        return x
    q = softmax(x)
    surprise = -np.log(q)
    order = np.argsort(np.abs(surprise - (q * surprise).sum()), kind="stable")
    kept = np.full(len(x), -np.inf)
    n = np.count_nonzero(np.cumsum(q[order]) <= p) + 1
    kept[order[:n]] = x[order[:n]]
    return kept
