"""Divided by E."""

FAILS = {
    "attend_text": "scale-of-width",
    "attend_last": "scale-of-width",
    "attend_large": "scale-of-width",
}


def attend(q, k, v):
    T, S, E = q.shape[1], k.shape[1], q.shape[2]
    scores = q @ k.transpose(0, 2, 1) / E
    seen = np.arange(S) <= np.arange(T)[:, None] + S - T
    scores = np.where(seen, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ v
