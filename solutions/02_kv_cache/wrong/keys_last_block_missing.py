"""A text of exactly full blocks lacks the last key."""

import numpy as np

FAILS = {
    "block_keys_chain": "keys-count",
    "block_keys_differ": "keys-count",
}


def block_keys(tokens, block_size):
    keys, before = [], None
    for end in range(block_size, len(tokens), block_size):
        before = (before, tuple(int(t) for t in tokens[end - block_size : end]))
        keys.append(before)
    return keys
