"""How queries and keys learn where they stand: the rotation of a pair of coordinates."""

from __future__ import annotations

import numpy as np


def rope(x: np.ndarray, positions: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Turn each pair of a head by ``position * frequency``: (T, heads, E) -> (T, heads, E)."""
    angles = positions[:, None, None] * frequencies
    cos, sin = np.cos(angles), np.sin(angles)
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
