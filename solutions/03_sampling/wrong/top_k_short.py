"""Gives the k that stay, and not a row."""

import numpy as np

FAILS = {
    "top_k_values": "wrong-shape",
    "top_k_ties": "wrong-shape",
    "top_k_contract": "wrong-shape",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "wrong-value",
    "mirostat1_run": "wrong-value",
}


def top_k(logits, k):
    x = np.array(logits, np.float64)
    return x if k <= 0 else np.sort(x)[::-1][:k]
