"""Gives the k that stay, and not a row."""

import numpy as np

FAILS = {
    "top_k_values": "wrong-shape",
    "top_k_ties": "wrong-shape",
    "top_k_ends": "wrong-shape",
    "top_k_contract": "wrong-shape",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    return x if k <= 0 else np.sort(x)[::-1][:k]
