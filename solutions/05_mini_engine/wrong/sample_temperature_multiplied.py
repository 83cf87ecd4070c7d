"""Multiplies by the temperature."""

import numpy as np

FAILS = {
    "sample_draw": "temperature-multiplied",
    "sample_filters": "temperature-multiplied",
    "sample_order": "temperature-multiplied",
}


def sample(
    logits: np.ndarray, u: float, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0,
    min_p: float = 0.0,
) -> int:  # fmt: skip
    """The token that u chooses of what top_k, top_p and min_p leave, at a temperature."""
    logits = np.asarray(logits, np.float64)
    if temperature == 0:
        return int(np.argmax(logits))
    order = np.argsort(-logits, kind="stable")
    order = order[: top_k if top_k > 0 else None]
    p = np.exp(logits[order] - logits[order[0]])
    p /= p.sum()
    keep = int(np.searchsorted(np.cumsum(p), top_p)) + 1 if top_p < 1 else len(p)
    keep = min(keep, int((p >= min_p * p[0]).sum()))
    left = np.sort(order[:keep])
    p = np.exp((logits[left] - logits[order[0]]) * temperature)
    running = np.cumsum(p)
    return int(left[min(np.searchsorted(running, u * running[-1], side="right"), keep - 1)])
