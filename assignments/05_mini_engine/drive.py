"""Loops that a check has a submission's process run, so that one call of the grader times many.

Sent to the sandbox as text. Must not know: anything.
"""

import numpy as np


def drive_steps(model, cache, tokens):
    """One pass for each token -> the last logits."""
    for token in tokens:
        logits = model.forward([int(token)], cache)
    return np.asarray(logits)[-1].view(np.ndarray)


def drive_prompt(model, tokens, times):
    """The prompt into a new cache, so many times -> the last logits."""
    for _ in range(times):
        logits = model.forward(list(tokens), model.new_cache(len(tokens)))
    return np.asarray(logits)[-1].view(np.ndarray)
