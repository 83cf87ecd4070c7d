"""argmax of a row with NaN is the NaN."""

import numpy as np

FAILS = {
    "greedy_refuses": "greedy-accepts-nan",
}


def greedy(logits):
    return int(np.argmax(logits))  # of equal ones the first
