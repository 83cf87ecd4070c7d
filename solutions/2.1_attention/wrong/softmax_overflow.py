"""No maximum."""

FAILS = {
    "attend_large": "nan",
}


def attend(q, k, v):
    T, S, E = q.shape[1], k.shape[1], q.shape[2]
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(E)
    seen = np.arange(S) <= np.arange(T)[:, None] + S - T
    scores = np.where(seen, scores, -np.inf)
    weights = np.exp(scores)
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ v
