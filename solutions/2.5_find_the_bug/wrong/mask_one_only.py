"""A case for a single token, and the rest as it was."""

FAILS = {
    "mask_alone": "mask-one-only",
    "mask_elsewhere": "mask-elsewhere",
}


def mask(n_queries, n_keys):
    if n_queries == 1:
        return np.ones((1, n_keys), bool)
    return np.tril(np.ones((n_queries, n_keys), bool))
