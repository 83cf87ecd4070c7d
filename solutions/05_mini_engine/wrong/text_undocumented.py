"""A helper without a docstring."""

import numpy as np

FAILS = {
    "style_docstrings": "docstrings-missing",
}


def root_of_mean_square(x: np.ndarray, eps: float) -> np.ndarray:
    return np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x over its root mean square, times weight."""
    return x / root_of_mean_square(x, eps) * weight
