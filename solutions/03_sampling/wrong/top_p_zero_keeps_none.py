"""p of 0 rules everything out."""

import numpy as np

FAILS = {
    "top_p_ends": "top-p-zero-keeps-none",
}


def top_p(logits, p, min_keep=1):
    x = np.array(logits, np.float64)
    if p >= 1:
        return x
    order = np.argsort(-x, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(softmax(x)[order])[:-1]])
    n = np.count_nonzero(before < p)
    x[order[n if p <= 0 and min_keep == 1 else max(n, min_keep) :]] = -np.inf
    return x
