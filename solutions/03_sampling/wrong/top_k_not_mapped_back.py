"""Places in the sorted order are taken for ids."""

import numpy as np

FAILS = {
    "top_k_values": "ids-not-mapped-back",
    "top_k_ties": "wrong-value",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "wrong-value",
    "mirostat1_run": "wrong-value",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    if k > 0:
        x[k:] = -np.inf
    return x
