"""Once for each time a token was said."""

FAILS = {
    "penalize_alone": "penalize-per-use",
    "penalize_elsewhere": "penalize-elsewhere",
}


def penalize(logits, recent, repeat):
    out = logits.copy()
    for token in recent:
        out[token] = out[token] / repeat if out[token] > 0 else out[token] * repeat
    return out
