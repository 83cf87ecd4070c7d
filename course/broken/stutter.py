"""What a token may look at."""

from __future__ import annotations

import numpy as np


def mask(n_queries: int, n_keys: int) -> np.ndarray:
    """True where query t sees key s: bool (T, S). The queries are the last T of S tokens."""
    return np.tril(np.ones((n_queries, n_keys), bool))
