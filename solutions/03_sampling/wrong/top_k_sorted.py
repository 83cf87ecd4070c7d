"""The row comes back sorted: ids are lost."""

import numpy as np

FAILS = {
    "top_k_values": "row-sorted",
    "top_k_ties": "wrong-value",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "wrong-value",
    "mirostat1_run": "wrong-value",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    if k <= 0:
        return x
    x = np.sort(x)[::-1].copy()
    x[k:] = -np.inf
    return x
