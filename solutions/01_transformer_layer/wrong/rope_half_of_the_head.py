"""Only the first half of a head is rotated."""

import numpy as np

FAILS = {
    "rope_values": "rope-half",
    "rope_base": "rope-half",
    "rope_positions": "rope-half",
    "rope_contract": "rope-half",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1] // 4 * 2
    frequencies = base ** (-np.arange(0, width, 2) / width)
    angles = positions[:, None] * frequencies  # (T, E / 2)
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]  # the same for every head
    a, b = x[..., :width:2], x[..., 1:width:2]
    out = x.astype(np.float32)
    out[..., :width:2] = a * cos - b * sin
    out[..., 1:width:2] = a * sin + b * cos
    return out
