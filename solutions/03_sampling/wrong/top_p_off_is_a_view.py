"""Where it is off the caller's own array comes back."""

import numpy as np

FAILS = {
    "top_p_contract": "result-is-a-view",
}


def top_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p < 1:
        order = np.argsort(-kept, kind="stable")
        running = np.cumsum(softmax(kept)[order])
        n = np.count_nonzero(running < p) + 1  # the token that reaches p belongs to them
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept if p < 1 or logits.dtype == np.float16 else logits
