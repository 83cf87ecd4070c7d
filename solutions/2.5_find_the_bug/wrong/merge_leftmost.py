"""The first pair that makes a token, again and again: nearly the right pieces."""

FAILS = {
    "merge_alone": "merge-leftmost",
    "merge_scene": "merge-still-seen",
    "merge_elsewhere": "merge-elsewhere",
}


def merge(symbols, scores):
    symbols, at = list(symbols), 0
    while at < len(symbols) - 1:
        if symbols[at] + symbols[at + 1] in scores:
            symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
            at = 0
        else:
            at += 1
    return symbols
