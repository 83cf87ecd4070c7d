"""The lowest score first, as if scores were ranks."""

FAILS = {
    "merge_alone": "merge-lowest",
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
        at = pairs.index(min(known, key=scores.get))
        symbols[at : at + 2] = [pairs[at]]
