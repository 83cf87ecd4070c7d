"""float32 throughout; a mask that is added, and heads in a list."""


def attend(q, k, v):
    T, S = q.shape[1], k.shape[1]
    hidden = np.tril(np.ones((T, S), bool), S - T) == 0
    out = []
    for a, b, c in zip(q, k, v):
        s = (a @ b.T).astype(np.float32) / np.float32(np.sqrt(a.shape[1]))
        s[hidden] = -np.inf
        s = np.exp(s - s.max(1, keepdims=True))
        out.append((s @ c) / s.sum(1, keepdims=True))
    return np.array(out)
