"""2^x for e^x."""

import numpy as np

FAILS = {
    "softmax_values": "softmax-base-two",
    "softmax_of_any_size": "softmax-base-two",
    "softmax_contract": "softmax-base-two",
    "top_p_values": "top-p-one-more",
    "typical_values": "typical-log-base",
    "draw_values": "wrong-value",
    "draw_many_law": "draw-many-law",
    "draw_many_seed": "draw-many-dependent",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat1_steps": "wrong-value",
    "mirostat1_run": "wrong-value",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp2(x - x.max())
    return e / e.sum()
