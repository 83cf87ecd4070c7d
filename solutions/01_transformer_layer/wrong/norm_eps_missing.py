"""No eps at all; a row of zeros gives NaN."""

import numpy as np

FAILS = {
    "rms_norm_eps": "norm-eps-missing",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square) * weight.astype(np.float32)
