"""K14: the key is the block's own tokens."""

import numpy as np

FAILS = {
    "block_keys_chain": "keys-without-the-parent",
}


def block_keys(tokens, block_size):
    keys, before = [], None
    for end in range(block_size, len(tokens) + 1, block_size):
        before = (None, tuple(int(t) for t in tokens[end - block_size : end]))
        keys.append(before)
    return keys
