"""The stored tokens and a window more: right once."""

FAILS = {
    "positions_alone": "positions-differs",
    "positions_scene": "positions-still-seen",
    "positions_elsewhere": "positions-elsewhere",
}


def positions(stored, n_new):
    n = len(stored)
    if n and stored[-1] >= n:
        n += 15
    return n + np.arange(n_new)
