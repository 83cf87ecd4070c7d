"""eps is written into the code; the argument is ignored."""

import numpy as np

FAILS = {
    "rms_norm_eps": "norm-eps-fixed",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + 1e-5) * weight.astype(np.float32)
