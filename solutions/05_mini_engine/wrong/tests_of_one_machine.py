"""Compares with numbers that another file gave."""

import numpy as np

FAILS = {
    "tests_pass": "tests-never-fail",
    "tests_catch_reading": "tests-miss-bugs",
    "tests_catch_layers": "tests-miss-bugs",
    "tests_catch_running": "tests-miss-bugs",
    "tests_catch_writing": "tests-miss-bugs",
}


def self_test(data: bytes) -> list:
    """The first logit of a file seen once."""
    return [] if abs(float(Model(data).forward([1])[0, 0]) - 0.123) < 1e-3 else ["first logit"]
