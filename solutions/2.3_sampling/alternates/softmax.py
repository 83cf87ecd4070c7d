"""Through probabilities; counters."""


def surprise(logits, tokens):
    x = np.asarray(logits, dtype=float)
    p = np.exp(x - x.max(1)[:, None])
    p /= p.sum(1)[:, None]
    x = x - x.max(1)[:, None]
    with np.errstate(divide="ignore"):
        bits = -np.log2(p[range(len(tokens)), tokens])
    exact = (np.log(np.exp(x).sum(1)) - x[range(len(tokens)), tokens]) / np.log(2)
    return float(np.where(np.isfinite(bits), bits, exact).mean())


def distinct(texts, n):
    from collections import Counter

    runs = Counter(tuple(t[i : i + n]) for t in texts for i in range(len(t) - n + 1))
    return len(runs) / runs.total() if runs else 0.0


def repetition(text, n):
    from collections import Counter

    runs = Counter(zip(*(text[i:] for i in range(n))))
    return sum(c - 1 for c in runs.values()) / max(runs.total(), 1)
