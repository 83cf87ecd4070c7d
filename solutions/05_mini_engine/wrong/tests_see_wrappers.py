"""Tests that look for what was planted instead of asking for results."""

FAILS = {
    "tests_pass": "tests-see-wrappers",
    "tests_catch_reading": "tests-see-wrappers",
    "tests_catch_layers": "tests-see-wrappers",
    "tests_catch_running": "tests-see-wrappers",
    "tests_catch_writing": "tests-see-wrappers",
}


def self_test(data: bytes) -> list:
    """Names of the tests that fail."""
    return ["planted"] if "_right" in sample.__code__.co_varnames else []
