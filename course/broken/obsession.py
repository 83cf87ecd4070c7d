"""The repetition penalty: what was said lately becomes less likely."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def penalize(logits: np.ndarray, recent: Sequence[int], repeat: float) -> np.ndarray:
    """Logits (V,) in which the tokens of ``recent`` are less likely, by the factor ``repeat``."""
    out = logits.copy()
    said = np.unique(recent)
    out[said] = np.where(out[said] > 0, out[said] * repeat, out[said] / repeat)
    return out
