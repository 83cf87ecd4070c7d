"""Rotates the caller's array in place."""

import numpy as np

FAILS = {
    "rope_contract": "input-changed",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    angles = positions[:, None, None] * base ** (-np.arange(0, width, 2) / width)
    a, b = x[..., 0::2].copy(), x[..., 1::2].copy()
    x = x.astype(np.float32, copy=False)  # no copy where x is float32 already
    x[..., 0::2] = a * np.cos(angles) - b * np.sin(angles)
    x[..., 1::2] = a * np.sin(angles) + b * np.cos(angles)
    return x
