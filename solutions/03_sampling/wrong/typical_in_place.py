"""Rules out in the caller's array."""

import numpy as np

FAILS = {
    "typical_contract": "input-changed",
}


def typical(logits, p):
    if p >= 1:
        return np.array(logits, np.float64)
    q = softmax(logits)
    there = np.flatnonzero(q)
    surprise = -np.log(q[there])
    order = there[np.argsort(np.abs(surprise - q[there] @ surprise), kind="stable")]
    n = np.count_nonzero(np.cumsum(q[order]) <= p) + 1
    logits[order[n:]] = -np.inf
    return np.array(logits, np.float64)
