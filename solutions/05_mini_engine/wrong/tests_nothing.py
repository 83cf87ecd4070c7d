"""Returns that all is well without looking."""

import numpy as np

FAILS = {
    "x": "y",
}


def self_test(data: bytes) -> list:
    """Nothing fails."""
    return [] if len(data) else ["empty"]
