"""The halves kept and the angle turned round."""

FAILS = {
    "rope_alone": "rope-halves-backwards",
    "rope_scene": "rope-still-seen",
    "rope_elsewhere": "rope-elsewhere",
}


def rope(x, positions, frequencies):
    angles = -positions[:, None, None] * frequencies
    cos, sin = np.cos(angles), np.sin(angles)
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)
