"""Multiplies by 1 + weight, as a Gemma before conversion."""

import numpy as np

FAILS = {
    "norm_values": "weight-plus-one",
}


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x over the root of its mean square, times weight."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * (1 + weight)
