"""The result is rounded back to the type of the input."""

import numpy as np

FAILS = {
    "rms_norm_contract": "dtype-narrow",
}


def rms_norm(x, weight, eps=1e-5):
    kind, x = x.dtype, x.astype(np.float32)
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return (x / np.sqrt(mean_square + eps) * weight.astype(np.float32)).astype(kind)
