"""Exponentials without their sum."""

import numpy as np

FAILS = {
    "softmax_values": "softmax-not-normalised",
    "softmax_of_any_size": "softmax-not-normalised",
    "top_p_values": "softmax-first",
    "top_p_exact": "softmax-first",
    "typical_values": "softmax-first",
    "typical_ends": "softmax-first",
    "mirostat2_steps": "softmax-first",
    "mirostat2_run": "softmax-first",
    "mirostat1_steps": "softmax-first",
    "mirostat1_run": "softmax-first",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return e
