"""Rules out with -1e9, which is finite."""

import numpy as np

FAILS = {
    "top_k_values": "ruled-out-is-finite",
    "top_k_ties": "ruled-out-is-finite",
    "top_k_ends": "ruled-out-is-finite",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k:]] = -1e9
    return kept
