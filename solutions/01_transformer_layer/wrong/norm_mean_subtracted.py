"""LayerNorm's habit, the mean of the row is subtracted first."""

import numpy as np

FAILS = {
    "rms_norm_values": "norm-mean-subtracted",
    "rms_norm_keeps_the_mean": "norm-mean-subtracted",
    "rms_norm_eps": "norm-mean-subtracted",
    "rms_norm_contract": "norm-mean-subtracted",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    x = x - np.mean(x, axis=-1, keepdims=True)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + eps) * weight.astype(np.float32)
