"""A fixed probability is the threshold."""

import numpy as np

FAILS = {
    "min_p_values": "min-p-absolute",
    "min_p_ends": "min-p-strict",
}


def min_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p > 0:
        order = np.argsort(-kept, kind="stable")
        n = np.count_nonzero(softmax(kept) >= p)
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept
