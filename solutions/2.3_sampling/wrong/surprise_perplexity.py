"""Perplexity."""

FAILS = {
    "surprise_bits": "surprise-perplexity",
    "surprise_large": "error",
}


def surprise(logits, tokens):
    x = np.asarray(logits, dtype=np.float64)
    x = x - x.max(axis=1, keepdims=True)
    log_p = x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    return 2 ** float(-log_p[np.arange(len(tokens)), list(tokens)].mean() / np.log(2))
