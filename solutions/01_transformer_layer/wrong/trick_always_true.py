"""The mask lets everybody see everything."""

import numpy as np

FAILS = {
    "causal_mask_square": "mask-all",
    "causal_mask_after_a_cache": "mask-all",
}


def causal_mask(n_queries, n_keys):
    return np.ones((n_queries, n_keys), bool)
