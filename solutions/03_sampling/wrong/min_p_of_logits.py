"""The threshold is a share of the largest logit."""

import numpy as np

FAILS = {
    "min_p_values": "min-p-of-logits",
}


def min_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p > 0:
        order = np.argsort(-kept, kind="stable")
        n = np.count_nonzero(kept >= p * kept.max())
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept
