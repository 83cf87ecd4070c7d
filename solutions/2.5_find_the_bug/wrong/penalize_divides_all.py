"""All divided: negative logits become likelier."""

FAILS = {
    "penalize_alone": "penalize-divides-all",
}


def penalize(logits, recent, repeat):
    out = logits.copy()
    said = np.unique(recent)
    out[said] = out[said] / repeat
    return out
