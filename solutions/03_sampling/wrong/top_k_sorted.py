"""The row comes back sorted: ids are lost."""

import numpy as np

FAILS = {
    "top_k_values": "row-sorted",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    if k <= 0:
        return x
    x = np.sort(x)[::-1].copy()
    x[k:] = -np.inf
    return x
