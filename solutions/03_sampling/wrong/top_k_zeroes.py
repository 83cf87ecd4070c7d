"""Rules out with 0, which is a logit like others."""

import numpy as np

FAILS = {
    "top_k_values": "ruled-out-is-zero",
    "top_k_ties": "wrong-value",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "wrong-value",
    "mirostat1_run": "wrong-value",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k:]] = 0
    return kept
