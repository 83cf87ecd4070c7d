"""Where the next tokens of a text stand.

In a long text old tokens are forgotten: ``stored`` are the positions of those whose keys and values
are still in the cache. Keys were turned to their positions when they were stored.
"""

from __future__ import annotations

import numpy as np


def positions(stored: np.ndarray, n_new: int) -> np.ndarray:
    """The positions of the next ``n_new`` tokens: int (n_new,)."""
    return len(stored) + np.arange(n_new)
