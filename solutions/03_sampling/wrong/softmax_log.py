"""Log-probabilities."""

import numpy as np

FAILS = {
    "softmax_values": "softmax-log",
    "softmax_of_any_size": "softmax-overflow",
    "softmax_contract": "softmax-log",
    "top_p_values": "wrong-value",
    "top_p_exact": "wrong-value",
    "top_p_ends": "wrong-value",
    "top_p_after_top_k": "top-p-ruled-out-counts",
    "top_p_min_keep": "wrong-value",
    "typical_values": "wrong-value",
    "typical_ends": "wrong-value",
    "typical_ruled_out": "typical-ruled-out",
    "draw_values": "error",
    "draw_ends": "error",
    "draw_large": "draw-float32",
    "draw_many_law": "draw-many-law",
    "draw_many_seed": "error",
    "mirostat2_steps": "nan",
    "mirostat2_run": "nan",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "error",
    "mirostat1_run": "error",
    "sampler_history": "error",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return np.log(e / e.sum())
