"""eps is added to the root, not to the mean square under it."""

import numpy as np

FAILS = {
    "rms_norm_eps": "norm-eps-outside",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / (np.sqrt(mean_square) + eps) * weight.astype(np.float32)
