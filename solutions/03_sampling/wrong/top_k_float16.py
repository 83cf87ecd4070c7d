"""The result takes the type of the logits."""

import numpy as np

FAILS = {
    "top_k_contract": "dtype-narrow",
}


def top_k(logits, k):
    kept = np.array(logits)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k:]] = -np.inf
    return kept
