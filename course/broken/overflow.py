"""Scores to weights, in the half precision in which the scores come."""

from __future__ import annotations

import numpy as np


def softmax(scores: np.ndarray) -> np.ndarray:
    """``exp(x) / sum exp(x)`` over the last axis: (H, T, S), -inf where nothing is seen."""
    weights = np.exp(scores.astype(np.float16))
    return weights / weights.sum(axis=-1, keepdims=True)
