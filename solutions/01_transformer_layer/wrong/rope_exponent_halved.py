"""The exponent is i / E, half of what it should be."""

import numpy as np

FAILS = {
    "rope_values": "rope-exponent",
    "rope_base": "rope-exponent",
    "rope_positions": "rope-exponent",
    "rope_contract": "rope-exponent",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    frequencies = base ** (-np.arange(width // 2) / width)
    angles = positions[:, None] * frequencies  # (T, E / 2)
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]  # the same for every head
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty(x.shape, np.float32)
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out
