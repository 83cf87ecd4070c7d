"""Has every step of sampling in one function, loop in loop."""

import numpy as np

FAILS = {
    "style_size": "function-too-large",
}


def sample(
    logits: np.ndarray,
    u: float,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> int:
    """All in one, case by case."""
    logits = np.asarray(logits, np.float64)
    if temperature == 0:
        best = 0
        for i in range(len(logits)):
            if logits[i] > logits[best]:
                best = i
        return best
    order = []
    left = list(range(len(logits)))
    while left:
        best = left[0]
        for i in left:
            if logits[i] > logits[best]:
                best = i
        order.append(best)
        left.remove(best)
    if top_k > 0:
        order = order[:top_k]
    total = 0.0
    for i in order:
        total += np.exp(logits[i] - logits[order[0]])
    if top_p < 1:
        running, n = 0.0, 0
        for i in order:
            if running >= top_p:
                break
            running += np.exp(logits[i] - logits[order[0]]) / total
            n += 1
        order = order[:n]
    if min_p > 0:
        kept = []
        for i in order:
            if np.exp(logits[i] - logits[order[0]]) >= min_p:
                kept.append(i)
        order = kept
    total = 0.0
    for i in order:
        total += np.exp((logits[i] - logits[order[0]]) / temperature)
    running = 0.0
    for i in sorted(order):
        running += np.exp((logits[i] - logits[order[0]]) / temperature)
        if running > u * total:
            return i
    return max(order)
