"""K15: the half-full block has a key too."""

import numpy as np

FAILS = {
    "block_keys_differ": "keys-partial",
}


def block_keys(tokens, block_size):
    keys, before = [], None
    for end in range(block_size, len(tokens) + block_size, block_size):
        before = (before, tuple(int(t) for t in tokens[end - block_size : end]))
        keys.append(before)
    return keys
