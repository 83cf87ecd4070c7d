"""Turns by the number of the head, not of the token."""

import numpy as np

FAILS = {
    "rope_values": "rope-nothing-turned",
    "rope_base": "rope-by-head",
    "rope_positions": "rope-by-head",
    "rope_contract": "rope-by-head",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    frequencies = base ** (-np.arange(0, width, 2) / width)
    angles = np.arange(x.shape[1])[:, None] * frequencies  # (T, E / 2)
    cos, sin = np.cos(angles), np.sin(angles)  # the same for every head
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty(x.shape, np.float32)
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out
