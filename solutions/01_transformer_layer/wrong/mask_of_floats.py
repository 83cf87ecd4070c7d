"""Ones and zeros for True and False."""

import numpy as np

FAILS = {
    "causal_mask_square": "mask-not-bool",
}


def causal_mask(n_queries, n_keys):
    query, key = np.arange(n_queries)[:, None], np.arange(n_keys)[None, :]
    return (key <= query + (n_keys - n_queries)).astype(np.float32)
