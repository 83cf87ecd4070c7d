"""Keeps every token of probability p or more."""

import numpy as np

FAILS = {
    "top_p_values": "top-p-each-above-p",
    "top_p_exact": "wrong-value",
    "top_p_ends": "wrong-value",
    "top_p_min_keep": "wrong-value",
}


def top_p(logits, p, min_keep=1):
    x = np.array(logits, np.float64)
    if p >= 1:
        return x
    order = np.argsort(-x, kind="stable")
    n = np.count_nonzero(softmax(x) >= p)
    x[order[max(n, min_keep) :]] = -np.inf
    return x
