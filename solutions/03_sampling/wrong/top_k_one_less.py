"""k - 1 stay."""

import numpy as np

FAILS = {
    "top_k_values": "top-k-one-less",
    "top_k_ties": "wrong-value",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "error",
    "mirostat1_run": "error",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k - 1 :]] = -np.inf
    return kept
