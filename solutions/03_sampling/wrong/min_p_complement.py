"""Rules out what is 1 - p less likely."""

import numpy as np

FAILS = {
    "min_p_values": "min-p-complement",
}


def min_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p > 0:
        order = np.argsort(-kept, kind="stable")
        n = np.count_nonzero(kept >= kept.max() + np.log(max(1 - p, 1e-300)))
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept
