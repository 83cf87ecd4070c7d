"""Equal neighbours."""

FAILS = {
    "repetition_share": "repetition-neighbours",
}


def repetition(text, n):
    n_runs = max(len(text) - n + 1, 1)
    return sum(a == b for a, b in zip(text, text[1:])) / n_runs
