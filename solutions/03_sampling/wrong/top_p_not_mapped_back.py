"""Places in the sorted order are taken for ids."""

import numpy as np

FAILS = {
    "top_p_values": "ids-not-mapped-back",
    "top_p_after_top_k": "top-p-ruled-out-counts",
}


def top_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p < 1:
        order = np.argsort(-kept, kind="stable")
        running = np.cumsum(softmax(kept)[order])
        n = np.count_nonzero(running < p) + 1  # the token that reaches p belongs to them
        kept[max(n, min_keep) :] = -np.inf
    return kept
