"""Writes into its input."""

import numpy as np

FAILS = {
    "norm_values": "input-changed",
    "model_one_token": "wrong-value",
    "model_prompt": "wrong-value",
    "model_defaults": "wrong-value",
    "model_cached": "wrong-value",
    "model_two_texts": "wrong-value",
    "model_packaged": "wrong-value",
    "decode_time": "fast-but-wrong",
    "decode_time_strict": "fast-but-wrong",
    "prefill_time": "fast-but-wrong",
    "prefill_time_strict": "fast-but-wrong",
    "decode_work": "fast-but-wrong",
}


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x over the root of its mean square, times weight."""
    x /= np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return x * weight
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight
