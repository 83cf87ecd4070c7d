"""Squares are taken in the type of the input and overflow in float16."""

import numpy as np

FAILS = {
    "rms_norm_contract": "norm-float16-square",
}


def rms_norm(x, weight, eps=1e-5):
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    scale = 1 / np.sqrt(mean_square + eps)
    return (x * scale * weight).astype(np.float32)
