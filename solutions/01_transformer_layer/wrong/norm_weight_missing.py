"""The weight is forgotten."""

import numpy as np

FAILS = {
    "rms_norm_values": "norm-weight-missing",
    "rms_norm_keeps_the_mean": "norm-weight-missing",
    "rms_norm_eps": "norm-weight-missing",
    "rms_norm_contract": "norm-weight-missing",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + eps)
