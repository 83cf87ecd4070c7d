"""The part as it was given."""


FAILS = {
    "positions_alone": "positions-unmended",
    "positions_scene": "positions-still-seen",
    "positions_elsewhere": "positions-elsewhere",
}


def positions(stored, n_new):
    return len(stored) + np.arange(n_new)
