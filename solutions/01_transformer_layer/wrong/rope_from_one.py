"""Positions are counted from one."""

import numpy as np

FAILS = {
    "rope_values": "rope-from-one",
    "rope_base": "rope-from-one",
    "rope_positions": "rope-from-one",
    "rope_contract": "rope-from-one",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    frequencies = base ** (-np.arange(0, width, 2) / width)
    angles = (positions[:, None] + 1) * frequencies  # (T, E / 2)
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]  # the same for every head
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty(x.shape, np.float32)
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out
