"""Refuses with an AssertionError, which python -O takes away."""

import numpy as np

FAILS = {
    "softmax_refuses": "softmax-accepts",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    assert np.isfinite(x.max())
    e = np.exp(x - x.max())
    return e / e.sum()
