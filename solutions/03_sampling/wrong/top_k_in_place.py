"""Rules out in the caller's array."""

import numpy as np

FAILS = {
    "top_k_contract": "input-changed",
}


def top_k(logits, k):
    kept = logits if logits.dtype != np.float16 else np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k:]] = -np.inf
    return kept
