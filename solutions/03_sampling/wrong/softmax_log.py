"""Log-probabilities."""

import numpy as np

FAILS = {
    "softmax_values": "softmax-log",
    "softmax_of_any_size": "softmax-overflow",
    "top_p_values": "softmax-first",
    "top_p_exact": "softmax-first",
    "top_p_ends": "softmax-first",
    "top_p_after_top_k": "softmax-first",
    "top_p_min_keep": "softmax-first",
    "typical_values": "softmax-first",
    "typical_ends": "softmax-first",
    "typical_ruled_out": "softmax-first",
    "draw_values": "softmax-first",
    "draw_ends": "softmax-first",
    "draw_large": "softmax-first",
    "draw_many_law": "softmax-first",
    "draw_many_seed": "softmax-first",
    "mirostat2_steps": "softmax-first",
    "mirostat2_run": "softmax-first",
    "mirostat2_keeps_one": "softmax-first",
    "mirostat1_steps": "softmax-first",
    "mirostat1_run": "softmax-first",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return np.log(e / e.sum())
