"""No maximum."""

FAILS = {
    "surprise_large": "wrong-value",
}


def surprise(logits, tokens):
    x = np.asarray(logits, dtype=np.float64)
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    return float(-log_p[np.arange(len(tokens)), list(tokens)].mean() / np.log(2))
