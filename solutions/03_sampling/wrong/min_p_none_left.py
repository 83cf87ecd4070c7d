"""A p above 1 rules everything out."""

import numpy as np

FAILS = {
    "min_p_ends": "min-p-none-left",
}


def min_p(logits, p, min_keep=1):
    x = np.array(logits, np.float64)
    if p <= 0:
        return x
    mask = x >= x.max() + np.log(p)
    if min_keep > 1:
        mask[np.argsort(-x)[:min_keep]] = True
    return np.where(mask, x, -np.inf)
