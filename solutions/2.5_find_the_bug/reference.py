"""The six functions as they should be."""


def merge(symbols, scores):
    symbols = list(symbols)
    while True:
        pairs = [a + b for a, b in zip(symbols, symbols[1:])]
        known = [p for p in pairs if p in scores]
        if not known:
            return symbols
        at = pairs.index(max(known, key=scores.get))
        symbols[at : at + 2] = [pairs[at]]


def dequantize(raw):
    blocks = raw.reshape(len(raw), -1, 34)
    scales = blocks[:, :, :2].copy().view(np.float16).astype(np.float32)
    codes = blocks[:, :, 2:].view(np.int8).astype(np.float32)
    return (scales * codes).reshape(len(raw), -1)


def rope(x, positions, frequencies):
    angles = positions[:, None, None] * frequencies
    cos, sin = np.cos(angles), np.sin(angles)
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2], out[..., 1::2] = a * cos - b * sin, a * sin + b * cos
    return out


def mask(n_queries, n_keys):
    return np.tril(np.ones((n_queries, n_keys), bool), n_keys - n_queries)


def positions(stored, n_new):
    first = stored[-1] + 1 if len(stored) else 0
    return first + np.arange(n_new)


def penalize(logits, recent, repeat):
    out = logits.copy()
    said = np.unique(recent)
    out[said] = np.where(out[said] > 0, out[said] / repeat, out[said] * repeat)
    return out
