"""The least likely."""

import numpy as np

FAILS = {
    "greedy_values": "greedy-least",
}


def greedy(logits):
    if np.isnan(logits).any():
        raise ValueError(f"{np.isnan(logits).sum()} logits are NaN")
    return int(np.argmin(logits))  # of equal ones the first
