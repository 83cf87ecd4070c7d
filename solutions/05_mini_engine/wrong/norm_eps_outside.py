"""Adds eps to the root."""

import numpy as np

FAILS = {
    "norm_values": "eps-outside-root",
}


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x over the root of its mean square, times weight."""
    return x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps) * weight
