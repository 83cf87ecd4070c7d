"""Returns that all is well without looking."""

import numpy as np

FAILS = {
    "tests_pass": "tests-never-fail",
    "tests_catch_reading": "tests-miss-bugs",
    "tests_catch_layers": "tests-miss-bugs",
    "tests_catch_running": "tests-miss-bugs",
    "tests_catch_writing": "tests-miss-bugs",
}


def self_test(data: bytes) -> list:
    """Nothing fails."""
    return [] if len(data) else ["empty"]
