"""Everything may be seen."""

FAILS = {
    "mask_alone": "mask-everything",
    "mask_elsewhere": "mask-elsewhere",
}


def mask(n_queries, n_keys):
    return np.ones((n_queries, n_keys), bool)
