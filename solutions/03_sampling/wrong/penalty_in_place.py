"""Changes the caller's logits."""

import numpy as np

FAILS = {
    "penalties_contract": "input-changed",
}


def penalties(logits, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    x = logits if logits.dtype != np.float16 else np.array(logits, np.float64)
    if last_n == 0:  # history[-0:] would be all of it
        return x
    recent = np.array(history if last_n < 0 else history[-last_n:], int)
    said, times = np.unique(recent, return_counts=True)
    x[said] = np.where(x[said] > 0, x[said] / repeat, x[said] * repeat)
    x[said] -= times * frequency + presence
    return x
