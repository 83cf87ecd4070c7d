"""Turns the other way."""

import numpy as np

FAILS = {
    "rope_pairs": "rope-sign",
    "rope_base": "rope-sign",
}


def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """Each pair (2i, 2i + 1) turned by its angle at its position."""
    width = x.shape[-1]
    frequencies = float(base) ** (-np.arange(0, width, 2) / width)
    angles = np.asarray(positions)[:, None, None] * frequencies
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = a * cos + b * sin
    out[..., 1::2] = b * cos - a * sin
    return out
