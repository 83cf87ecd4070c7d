"""Places in the sorted order are taken for ids."""

import numpy as np

FAILS = {
    "top_k_values": "ids-not-mapped-back",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    if k > 0:
        x[k:] = -np.inf
    return x
