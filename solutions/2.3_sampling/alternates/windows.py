"""NumPy's windows, logaddexp."""


def surprise(logits, tokens):
    x = np.array(logits, float)
    norm = np.logaddexp.reduce(x, axis=1)
    return np.mean(norm - np.take_along_axis(x, np.array(tokens)[:, None], 1)[:, 0]) * np.log2(np.e)


def distinct(texts, n):
    rows = [np.lib.stride_tricks.sliding_window_view(np.array(t), n) for t in texts if len(t) >= n]
    if not rows:
        return 0.0
    rows = np.concatenate(rows)
    return len(np.unique(rows, axis=0)) / len(rows)


def repetition(text, n):
    if len(text) < n:
        return 0.0
    rows = np.lib.stride_tricks.sliding_window_view(np.array(text), n)
    return 1 - len(np.unique(rows, axis=0)) / len(rows)
