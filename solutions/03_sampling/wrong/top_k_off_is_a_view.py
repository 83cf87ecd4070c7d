"""Where it is off the caller's own array comes back."""

import numpy as np

FAILS = {
    "top_k_contract": "result-is-a-view",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k:]] = -np.inf
    return kept if k > 0 or logits.dtype == np.float16 else logits
