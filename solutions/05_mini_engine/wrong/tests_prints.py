"""Prints what fails and returns nothing."""

import numpy as np

FAILS = {
    "x": "y",
}


def self_test(data: bytes) -> list:
    """Says what fails."""
    if len(generate(Model(data), [1], 2)) != 2:
        print("generate fails")
