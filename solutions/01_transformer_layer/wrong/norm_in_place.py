"""Normalises the caller's array in place."""

import numpy as np

FAILS = {
    "rms_norm_contract": "input-changed",
    "layer_values": "norm-in-place",
    "layer_residuals": "layer-post-norm",
    "cache_continued_twice": "input-changed",
}


def rms_norm(x, weight, eps=1e-5):
    x = x.astype(np.float32, copy=False)  # no copy where x is float32 already
    x /= np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    x *= weight
    return x
