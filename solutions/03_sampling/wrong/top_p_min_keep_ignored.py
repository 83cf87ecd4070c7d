"""min_keep is not looked at."""

import numpy as np

FAILS = {
    "top_p_min_keep": "min-keep-ignored",
}


def top_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p < 1:
        order = np.argsort(-kept, kind="stable")
        running = np.cumsum(softmax(kept)[order])
        n = np.count_nonzero(running < p) + 1  # the token that reaches p belongs to them
        kept[order[n :]] = -np.inf
    return kept
