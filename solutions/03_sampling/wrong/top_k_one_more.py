"""k + 1 stay."""

import numpy as np

FAILS = {
    "top_k_values": "top-k-one-more",
    "top_k_ties": "top-k-one-more",
    "top_k_ends": "top-k-one-more",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k + 1 :]] = -np.inf
    return kept
