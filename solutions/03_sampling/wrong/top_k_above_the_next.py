"""Keeps what is larger than the k + 1st, and so too few of equals."""

import numpy as np

FAILS = {
    "top_k_ties": "top-k-ties-dropped",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    if k <= 0 or k >= len(x):
        return x
    return np.where(x > np.sort(x)[-k - 1], x, -np.inf)
