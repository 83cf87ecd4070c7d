"""Everything is seen."""

FAILS = {
    "attend_text": "mask-missing",
    "attend_last": "mask-missing",
    "attend_large": "mask-missing",
}


def attend(q, k, v):
    T, S, E = q.shape[1], k.shape[1], q.shape[2]
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(E)
    seen = np.arange(S) <= np.arange(T)[:, None] + S - T
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights @ v
