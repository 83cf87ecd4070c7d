"""Is a LayerNorm."""

import numpy as np

FAILS = {
    "norm_values": "mean-subtracted",
}


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x over the root of its mean square, times weight."""
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight
