"""The norm before attention and before the feed-forward part."""

from __future__ import annotations

import numpy as np


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """``x / sqrt(mean(x^2) + eps) * weight``: (T, D), (D,) -> (T, D)."""
    return x / np.sqrt(np.mean(x * x) + eps) * weight
