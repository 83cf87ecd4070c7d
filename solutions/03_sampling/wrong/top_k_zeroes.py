"""Rules out with 0, which is a logit like others."""

import numpy as np

FAILS = {
    "top_k_values": "ruled-out-is-zero",
    "top_k_ties": "top-k-ties",
    "top_k_ends": "top-k-one-more",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k:]] = 0
    return kept
