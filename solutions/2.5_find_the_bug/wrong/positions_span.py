"""Counted from the first that is stored."""

FAILS = {
    "positions_alone": "positions-span",
    "positions_scene": "positions-still-seen",
    "positions_elsewhere": "positions-elsewhere",
}


def positions(stored, n_new):
    return (stored[-1] - stored[0] + 1 if len(stored) else 0) + np.arange(n_new)
