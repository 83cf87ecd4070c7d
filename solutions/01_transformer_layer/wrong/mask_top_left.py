"""The triangle is aligned with the top left corner."""

import numpy as np

FAILS = {
    "causal_mask_after_a_cache": "mask-top-left",
}


def causal_mask(n_queries, n_keys):
    query, key = np.arange(n_queries)[:, None], np.arange(n_keys)[None, :]
    return key <= query
