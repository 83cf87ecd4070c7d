"""Everything in float64, and lists where arrays were asked for."""


def dequantize(raw):
    raw = np.asarray(raw)
    out = []
    for row in raw:
        parts = row.reshape(-1, 34)
        scale = parts[:, :2].copy().view("<f2").astype(float)
        out.append((scale * parts[:, 2:].copy().view("i1").astype(float)).ravel())
    return np.array(out)


def rope(x, positions, frequencies):
    x = np.asarray(x, float)
    out = x.copy()
    for t, p in enumerate(positions):
        c, s = np.cos(p * frequencies), np.sin(p * frequencies)
        turn = np.zeros((x.shape[-1], x.shape[-1]))
        for i in range(len(frequencies)):
            turn[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[c[i], -s[i]], [s[i], c[i]]]
        out[t] = x[t] @ turn.T
    return out


def mask(n_queries, n_keys):
    first = n_keys - n_queries
    return [[s <= first + t for s in range(n_keys)] for t in range(n_queries)]


def positions(stored, n_new):
    first = int(stored[-1]) + 1 if len(stored) else 0
    return list(range(first, first + n_new))
