"""p of 1 is not off: what is lost in rounding is ruled out."""

import numpy as np

FAILS = {
    "top_p_ends": "top-p-one-cuts",
}


def top_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if True:
        order = np.argsort(-kept, kind="stable")
        running = np.cumsum(softmax(kept)[order])
        n = np.count_nonzero(running < p) + 1  # the token that reaches p belongs to them
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept
