"""Taken off in place of scaled."""

FAILS = {
    "penalize_alone": "penalize-subtracts",
    "penalize_scene": "penalize-still-seen",
    "penalize_elsewhere": "penalize-elsewhere",
}


def penalize(logits, recent, repeat):
    out = logits.copy()
    out[np.unique(recent)] -= repeat
    return out
