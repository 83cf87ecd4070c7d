"""k of 0 is taken for 1."""

import numpy as np

FAILS = {
    "top_k_ends": "top-k-zero-keeps-one",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    x[np.argsort(-x, kind="stable")[max(k, 1) :]] = -np.inf
    return x
