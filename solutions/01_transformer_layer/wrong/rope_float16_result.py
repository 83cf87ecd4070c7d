"""The result has the type of the input, float16 too."""

import numpy as np

FAILS = {
    "rope_contract": "dtype-narrow",
}


def rope(x, positions, base=10000.0):
    width = x.shape[-1]
    frequencies = base ** (-np.arange(0, width, 2) / width)
    angles = positions[:, None] * frequencies  # (T, E / 2)
    cos, sin = np.cos(angles)[:, None, :], np.sin(angles)[:, None, :]  # the same for every head
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out
