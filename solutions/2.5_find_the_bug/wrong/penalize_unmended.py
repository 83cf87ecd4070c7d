"""The part as it was given."""


FAILS = {
    "penalize_alone": "penalize-unmended",
    "penalize_scene": "penalize-still-seen",
    "penalize_elsewhere": "penalize-elsewhere",
}


def penalize(logits, recent, repeat):
    out = logits.copy()
    said = np.unique(recent)
    out[said] = np.where(out[said] > 0, out[said] * repeat, out[said] / repeat)
    return out
