"""min_keep is not looked at."""

import numpy as np

FAILS = {
    "min_p_min_keep": "min-keep-ignored",
}


def min_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p > 0:
        order = np.argsort(-kept, kind="stable")
        n = np.count_nonzero(kept >= kept.max() + np.log(p))
        kept[order[max(n, 1) :]] = -np.inf
    return kept
