"""Texts joined first."""

FAILS = {
    "distinct_share": "distinct-over-ends",
    "distinct_short": "wrong-value",
}


def distinct(texts, n):
    t = [x for text in texts for x in text]
    runs = [tuple(t[i : i + n]) for i in range(len(t) - n + 1)]
    return len(set(runs)) / len(runs) if runs else 0.0
