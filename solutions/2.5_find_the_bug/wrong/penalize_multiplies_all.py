"""All multiplied: positive logits become likelier."""

FAILS = {
    "penalize_alone": "penalize-multiplies-all",
    "penalize_scene": "penalize-still-seen",
    "penalize_elsewhere": "penalize-elsewhere",
}


def penalize(logits, recent, repeat):
    out = logits.copy()
    said = np.unique(recent)
    out[said] = out[said] * repeat
    return out
