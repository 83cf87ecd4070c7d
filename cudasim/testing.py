"""``cupy.testing`` as far as notebooks use it: comparisons that take arrays of either side."""

from __future__ import annotations

import numpy as np

from cudasim.arrays import unwrap


def assert_allclose(actual, desired, rtol: float = 1e-7, atol: float = 0.0, **options) -> None:
    """NumPy's, for arrays of cudasim or NumPy."""
    np.testing.assert_allclose(unwrap(actual), unwrap(desired), rtol, atol, **options)


def assert_array_equal(actual, desired, **options) -> None:
    """NumPy's, for arrays of cudasim or NumPy."""
    np.testing.assert_array_equal(unwrap(actual), unwrap(desired), **options)
