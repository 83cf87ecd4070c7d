"""Rules out in the caller's array."""

import numpy as np

FAILS = {
    "top_p_contract": "input-changed",
}


def top_p(logits, p, min_keep=1):
    kept = logits if logits.dtype != np.float16 else np.array(logits, np.float64)
    if p < 1:
        order = np.argsort(-kept, kind="stable")
        running = np.cumsum(softmax(kept)[order])
        n = np.count_nonzero(running < p) + 1  # the token that reaches p belongs to them
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept
