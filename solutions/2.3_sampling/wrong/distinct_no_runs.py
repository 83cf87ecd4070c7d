"""Divides by nothing."""

FAILS = {
    "distinct_short": "error",
}


def distinct(texts, n):
    runs = [tuple(t[i : i + n]) for t in texts for i in range(len(t) - n + 1)]
    return len(set(runs)) / len(runs)
