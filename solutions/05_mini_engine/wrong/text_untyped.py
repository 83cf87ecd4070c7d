"""A helper without types."""

import numpy as np

FAILS = {
    "style_types": "types-missing",
}


def root_of_mean_square(x, eps):
    """Of the last axis."""
    return np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """The root mean square norm."""
    return x / root_of_mean_square(x, eps) * weight
