"""The mean runs over the tokens."""

import numpy as np

FAILS = {
    "rms_norm_values": "norm-wrong-axis",
    "rms_norm_keeps_the_mean": "norm-wrong-axis",
    "rms_norm_eps": "norm-wrong-axis",
    "rms_norm_contract": "norm-wrong-axis",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x, axis=0, keepdims=True)
    return x / np.sqrt(mean_square + eps) * weight.astype(np.float32)
