"""NaN is skipped, and a broken model goes unnoticed."""

import numpy as np

FAILS = {
    "greedy_refuses": "greedy-accepts-nan",
}


def greedy(logits):
    return int(np.nanargmax(logits))  # of equal ones the first
