"""A mean over texts."""

FAILS = {
    "distinct_share": "distinct-mean-of-texts",
    "distinct_short": "wrong-value",
}


def distinct(texts, n):
    shares = []
    for t in texts:
        runs = [tuple(t[i : i + n]) for i in range(len(t) - n + 1)]
        if runs:
            shares.append(len(set(runs)) / len(runs))
    return sum(shares) / len(shares) if shares else 0.0
