"""1 + weight, as Gemma stores it."""

import numpy as np

FAILS = {
    "rms_norm_values": "norm-weight-plus-one",
    "rms_norm_keeps_the_mean": "norm-weight-plus-one",
    "rms_norm_eps": "norm-weight-plus-one",
    "rms_norm_contract": "norm-weight-plus-one",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + eps) * (1 + weight.astype(np.float32))
