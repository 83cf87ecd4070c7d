"""The other share."""

FAILS = {
    "repetition_share": "repetition-distinct",
}


def repetition(text, n):
    runs = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return len(set(runs)) / len(runs) if runs else 0.0
