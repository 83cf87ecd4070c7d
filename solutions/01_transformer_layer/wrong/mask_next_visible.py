"""A token sees the next one."""

import numpy as np

FAILS = {
    "causal_mask_square": "mask-future",
    "causal_mask_after_a_cache": "mask-future",
}


def causal_mask(n_queries, n_keys):
    query, key = np.arange(n_queries)[:, None], np.arange(n_keys)[None, :]
    return key <= query + (n_keys - n_queries + 1)
