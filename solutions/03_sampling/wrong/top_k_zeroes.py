"""Rules out with 0, which is a logit like others."""

import numpy as np

FAILS = {
    "top_k_values": "ruled-out-is-zero",
    "top_k_ties": "ruled-out-is-zero",
    "top_k_ends": "ruled-out-is-zero",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k:]] = 0
    return kept
