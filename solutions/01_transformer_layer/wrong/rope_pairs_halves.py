"""Pairs (i, i + E/2), the other convention."""

import numpy as np

FAILS = {
    "rope_values": "rope-pairs",
    "rope_base": "rope-pairs",
    "rope_positions": "rope-pairs",
    "rope_contract": "rope-pairs",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    frequencies = base ** (-np.arange(0, width, 2) / width)
    angles = positions[:, None] * frequencies  # (T, E / 2)
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]  # the same for every head
    half = width // 2
    a, b = x[..., :half], x[..., half:]
    out = np.empty(x.shape, np.float32)
    out[..., :half] = a * cos - b * sin
    out[..., half:] = a * sin + b * cos
    return out
