"""True where a token may not look."""

import numpy as np

FAILS = {
    "causal_mask_square": "mask-inverted",
    "causal_mask_after_a_cache": "mask-inverted",
}


def causal_mask(n_queries, n_keys):
    query, key = np.arange(n_queries)[:, None], np.arange(n_keys)[None, :]
    return key > query + (n_keys - n_queries)
