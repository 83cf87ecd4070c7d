"""Pairs i with i + E/2, as other architectures do."""

import numpy as np

FAILS = {
    "rope_pairs": "rope-pairs",
    "rope_base": "rope-pairs",
}


def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """Each pair (2i, 2i + 1) turned by its angle at its position."""
    width = x.shape[-1]
    frequencies = float(base) ** (-np.arange(0, width, 2) / width)
    angles = np.asarray(positions)[:, None, None] * frequencies
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    a, b = x[..., : width // 2], x[..., width // 2 :]
    out = np.empty_like(x)
    out[..., : width // 2] = a * cos - b * sin
    out[..., width // 2 :] = a * sin + b * cos
    return out
