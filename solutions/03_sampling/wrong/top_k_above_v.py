"""A k above V is an error."""

import numpy as np

FAILS = {
    "top_k_ends": "error",
    "sampler_order": "error",
    "sampler_alone": "error",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    if k <= 0:
        return x
    kept = np.full(len(x), -np.inf)
    ids = np.argpartition(-x, k - 1)[:k]
    kept[ids] = x[ids]
    return kept
