"""The first time counts too."""

FAILS = {
    "repetition_share": "repetition-both",
}


def repetition(text, n):
    runs = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return sum(runs.count(r) > 1 for r in runs) / len(runs) if runs else 0.0
