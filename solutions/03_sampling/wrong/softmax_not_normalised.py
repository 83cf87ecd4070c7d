"""Exponentials without their sum."""

import numpy as np

FAILS = {
    "softmax_values": "softmax-not-normalised",
    "softmax_of_any_size": "softmax-not-normalised",
    "softmax_contract": "softmax-not-normalised",
    "top_p_values": "top-p-crossing-dropped",
    "top_p_exact": "wrong-value",
    "typical_values": "wrong-value",
    "typical_ends": "wrong-value",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat1_steps": "wrong-value",
    "mirostat1_run": "wrong-value",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return e
