"""One too many: the next token is seen."""

FAILS = {
    "mask_alone": "mask-next",
    "mask_scene": "mask-still-seen",
    "mask_elsewhere": "mask-elsewhere",
}


def mask(n_queries, n_keys):
    return np.tril(np.ones((n_queries, n_keys), bool), n_keys - n_queries + 1)
