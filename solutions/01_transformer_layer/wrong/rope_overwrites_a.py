"""Uses the new first coordinate in computing the second."""

import numpy as np

FAILS = {
    "rope_values": "rope-overwritten",
    "rope_base": "rope-overwritten",
    "rope_positions": "rope-overwritten",
    "rope_contract": "rope-overwritten",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    angles = positions[:, None, None] * base ** (-np.arange(0, width, 2) / width)
    out = x.astype(np.float32)
    out[..., 0::2] = out[..., 0::2] * np.cos(angles) - out[..., 1::2] * np.sin(angles)
    out[..., 1::2] = out[..., 0::2] * np.sin(angles) + out[..., 1::2] * np.cos(angles)
    return out
