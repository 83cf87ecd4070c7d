"""One round after the other, as the broken part does one."""

FAILS = {
    "merge_alone": "merge-rounds",
    "merge_elsewhere": "merge-elsewhere",
}


def merge(symbols, scores):
    symbols = list(symbols)
    while True:
        pairs = [a + b for a, b in zip(symbols, symbols[1:])]
        found = sorted((-scores[p], at) for at, p in enumerate(pairs) if p in scores)
        if not found:
            return symbols
        for _, at in found:
            if symbols[at] + symbols[at + 1] == pairs[at]:
                symbols[at], symbols[at + 1] = pairs[at], ""
        symbols = [s for s in symbols if s]
