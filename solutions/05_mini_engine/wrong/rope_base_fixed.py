"""Knows no base but 10000."""

import numpy as np

FAILS = {
    "rope_base": "rope-base",
}


def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """Each pair (2i, 2i + 1) turned by its angle at its position."""
    width = x.shape[-1]
    frequencies = 10000.0 ** (-np.arange(0, width, 2) / width)
    angles = np.asarray(positions)[:, None, None] * frequencies
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out
