"""NaN goes in and comes out."""

import numpy as np

FAILS = {
    "softmax_refuses": "softmax-accepts",
}


def softmax(logits):
    x = np.asarray(logits, np.float64)
    e = np.exp(x - x.max())
    return e / e.sum()
