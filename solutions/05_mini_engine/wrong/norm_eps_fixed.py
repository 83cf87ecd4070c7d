"""Knows no eps but 0.00001."""

import numpy as np

FAILS = {
    "norm_values": "eps-fixed",
}


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x over the root of its mean square, times weight."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-5) * weight
