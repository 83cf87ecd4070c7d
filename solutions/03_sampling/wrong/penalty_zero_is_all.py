"""history[-0:] is all of it."""

import numpy as np

FAILS = {
    "penalties_last_n": "penalty-zero-is-all",
}


def penalties(logits, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    x = np.array(logits, np.float64)
    recent = np.array(history if last_n < 0 else history[-last_n:], int)
    said, times = np.unique(recent, return_counts=True)
    x[said] = np.where(x[said] > 0, x[said] / repeat, x[said] * repeat)
    x[said] -= times * frequency + presence
    return x
