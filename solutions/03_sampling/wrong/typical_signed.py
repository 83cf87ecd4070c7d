"""The distance keeps its sign."""

import numpy as np

FAILS = {
    "typical_values": "typical-is-top-p",
}


def typical(logits, p):
    x = np.array(logits, np.float64)
    if p >= 1:
        return x
    q = softmax(x)
    there = np.flatnonzero(q)  # 0 * log 0 is NaN
    surprise = -np.log(q[there])
    entropy = q[there] @ surprise
    order = there[np.argsort(surprise - entropy, kind="stable")]
    n = np.count_nonzero(np.cumsum(q[order]) <= p) + 1
    kept = np.full(len(x), -np.inf)
    kept[order[:n]] = x[order[:n]]
    return kept
