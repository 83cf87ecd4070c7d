"""Prints what fails and returns nothing."""

import numpy as np

FAILS = {
    "tests_pass": "wrong-type",
    "tests_catch_reading": "wrong-type",
    "tests_catch_layers": "wrong-type",
    "tests_catch_running": "wrong-type",
    "tests_catch_writing": "wrong-type",
}


def self_test(data: bytes) -> list:
    """Says what fails."""
    if len(generate(Model(data), [1], 2)) != 2:
        print("generate fails")
