"""The right pairs, turned the other way."""

FAILS = {
    "rope_alone": "rope-backwards",
    "rope_scene": "rope-still-seen",
    "rope_elsewhere": "rope-elsewhere",
}


def rope(x, positions, frequencies):
    angles = -positions[:, None, None] * frequencies
    cos, sin = np.cos(angles), np.sin(angles)
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2], out[..., 1::2] = a * cos - b * sin, a * sin + b * cos
    return out
