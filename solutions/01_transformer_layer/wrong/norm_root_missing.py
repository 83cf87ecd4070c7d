"""Divides by the mean square itself."""

import numpy as np

FAILS = {
    "rms_norm_values": "norm-root-missing",
    "rms_norm_keeps_the_mean": "norm-root-missing",
    "rms_norm_eps": "norm-root-missing",
    "rms_norm_contract": "norm-root-missing",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / (mean_square + eps) * weight.astype(np.float32)
