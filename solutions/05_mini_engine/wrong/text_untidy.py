"""Imports what it does not use and compares with None by ==."""

import numpy as np

FAILS = {
    "style_ruff": "ruff-finds",
}


import os


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """The root mean square norm."""
    if (weight is None) == None:
        return x
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight
