"""The k smallest stay."""

import numpy as np

FAILS = {
    "top_k_values": "top-k-smallest",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(kept, kind="stable")[k:]] = -np.inf
    return kept
