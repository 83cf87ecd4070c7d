"""Divided by tokens."""

FAILS = {
    "distinct_share": "distinct-of-tokens",
    "distinct_short": "wrong-value",
}


def distinct(texts, n):
    runs = [tuple(t[i : i + n]) for t in texts for i in range(len(t) - n + 1)]
    return len(set(runs)) / sum(map(len, texts)) if runs else 0.0
