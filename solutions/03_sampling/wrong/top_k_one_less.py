"""k - 1 stay."""

import numpy as np

FAILS = {
    "top_k_values": "top-k-one-less",
    "top_k_ties": "top-k-one-less",
    "top_k_ends": "top-k-one-less",
    "mirostat2_steps": "error",
    "mirostat2_run": "error",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "mirostat-none-left",
    "mirostat1_run": "error",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k - 1 :]] = -np.inf
    return kept
