"""A p above 1 is taken for off."""

import numpy as np

FAILS = {
    "min_p_ends": "min-p-above-one-is-off",
}


def min_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if 0 < p <= 1:
        order = np.argsort(-kept, kind="stable")
        n = np.count_nonzero(kept >= kept.max() + np.log(p))
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept
