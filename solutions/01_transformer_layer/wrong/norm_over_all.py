"""One mean for the whole array."""

import numpy as np

FAILS = {
    "rms_norm_values": "norm-over-all",
    "rms_norm_keeps_the_mean": "norm-over-all",
    "rms_norm_eps": "norm-over-all",
    "rms_norm_contract": "norm-over-all",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x)
    return x / np.sqrt(mean_square + eps) * weight.astype(np.float32)
