"""A token does not see itself."""

FAILS = {
    "mask_alone": "mask-differs",
    "mask_scene": "mask-still-seen",
    "mask_elsewhere": "mask-elsewhere",
}


def mask(n_queries, n_keys):
    seen = np.tril(np.ones((n_queries, n_keys), bool), n_keys - n_queries - 1)
    seen[:, 0] = True
    return seen
