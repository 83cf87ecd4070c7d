"""The longest token first."""

FAILS = {
    "merge_alone": "merge-leftmost",
    "merge_scene": "merge-still-seen",
    "merge_elsewhere": "merge-elsewhere",
}


def merge(symbols, scores):
    symbols = list(symbols)
    while True:
        pairs = [a + b for a, b in zip(symbols, symbols[1:])]
        known = [p for p in pairs if p in scores]
        if not known:
            return symbols
        at = pairs.index(max(known, key=len))
        symbols[at : at + 2] = [pairs[at]]
