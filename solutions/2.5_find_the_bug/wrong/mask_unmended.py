"""The part as it was given."""


FAILS = {
    "mask_alone": "mask-unmended",
    "mask_scene": "mask-still-seen",
    "mask_elsewhere": "mask-elsewhere",
}


def mask(n_queries, n_keys):
    return np.tril(np.ones((n_queries, n_keys), bool))
