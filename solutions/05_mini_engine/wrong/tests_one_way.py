"""Looks at shapes and that nothing raises."""

import numpy as np

FAILS = {
    "tests_catch_reading": "tests-miss-bugs",
    "tests_catch_layers": "tests-miss-bugs",
    "tests_catch_running": "tests-miss-bugs",
    "tests_catch_writing": "tests-miss-bugs",
}


def self_test(data: bytes) -> list:
    """Does it run, and are the shapes what they should be?"""
    model = Model(data)
    logits = model.forward([1, 2, 3])
    text = generate(model, [1, 2], 3)
    right = logits.shape[0] == 3 and len(text) == 3 and np.any(logits != 0)
    return [] if right else ["shapes"]
