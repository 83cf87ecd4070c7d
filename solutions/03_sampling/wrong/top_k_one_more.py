"""k + 1 stay."""

import numpy as np

FAILS = {
    "top_k_values": "top-k-one-more",
    "top_k_ties": "top-k-ties",
    "mirostat2_steps": "mirostat-keeps-more",
    "mirostat2_run": "mirostat-keeps-more",
    "mirostat2_keeps_one": "mirostat-keeps-more",
    "mirostat1_steps": "mirostat-keeps-more",
    "mirostat1_run": "mirostat-keeps-more",
}


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k + 1 :]] = -np.inf
    return kept
