"""The other share."""

FAILS = {
    "distinct_share": "distinct-rest",
}


def distinct(texts, n):
    runs = [tuple(t[i : i + n]) for t in texts for i in range(len(t) - n + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
