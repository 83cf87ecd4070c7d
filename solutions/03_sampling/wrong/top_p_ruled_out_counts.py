"""What is ruled out weighs as a logit of 0."""

import numpy as np

FAILS = {
    "top_p_after_top_k": "top-p-ruled-out-counts",
}


def top_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p < 1:
        order = np.argsort(-kept, kind="stable")
        running = np.cumsum(softmax(np.where(np.isinf(kept), 0, kept))[order])
        n = np.count_nonzero(running < p) + 1  # the token that reaches p belongs to them
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept
