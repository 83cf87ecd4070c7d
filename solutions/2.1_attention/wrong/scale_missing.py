"""No scale."""

FAILS = {
    "attend_text": "scale-missing",
    "attend_last": "scale-missing",
    "attend_large": "scale-missing",
}


def attend(q, k, v):
    T, S, E = q.shape[1], k.shape[1], q.shape[2]
    scores = q @ k.transpose(0, 2, 1)
    seen = np.arange(S) <= np.arange(T)[:, None] + S - T
    scores = np.where(seen, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ v
