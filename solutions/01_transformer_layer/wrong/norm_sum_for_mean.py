"""The squares are summed, not averaged."""

import numpy as np

FAILS = {
    "rms_norm_values": "norm-sum-for-mean",
    "rms_norm_keeps_the_mean": "norm-sum-for-mean",
    "rms_norm_eps": "norm-sum-for-mean",
    "rms_norm_contract": "norm-sum-for-mean",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.sum(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + eps) * weight.astype(np.float32)
