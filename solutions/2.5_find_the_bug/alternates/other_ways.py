"""The same by other formulas."""


def merge(symbols, scores):
    symbols = list(symbols)
    while len(symbols) > 1:
        rank = [(scores.get(a + b, -np.inf), -i) for i, (a, b) in enumerate(zip(symbols, symbols[1:]))]
        best, at = max(rank)
        if best == -np.inf:
            break
        symbols = symbols[:-at] + [symbols[-at] + symbols[1 - at]] + symbols[2 - at :]
    return symbols


def dequantize(raw):
    blocks = np.ascontiguousarray(raw).view(np.dtype([("d", "<f2"), ("q", "i1", 32)]))
    return (blocks["d"].astype(np.float32)[..., None] * blocks["q"]).reshape(len(raw), -1)


def rope(x, positions, frequencies):
    z = np.ascontiguousarray(x, dtype=np.float64).view(np.complex128)
    z = z * np.exp(1j * positions[:, None, None] * frequencies)
    return z.view(np.float64)


def mask(n_queries, n_keys):
    back = np.arange(n_keys - n_queries, n_keys)[:, None] - np.arange(n_keys)
    return back >= 0


def positions(stored, n_new):
    return np.arange(n_new) + (1 + stored[-1] if np.size(stored) else 0)


def penalize(logits, recent, repeat):
    out, said = logits.astype(float), list(set(recent))
    out[said] = np.where(out[said] < 0, repeat, 1 / repeat) * out[said]
    return out
