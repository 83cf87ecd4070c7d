"""The tokens are joined without a mark between them: 1, 23 and 12, 3 agree."""

import numpy as np

FAILS = {
    "block_keys_differ": "keys-collide",
}


def block_keys(tokens, block_size):
    keys, before = [], None
    for end in range(block_size, len(tokens) + 1, block_size):
        before = (before, "".join(str(t) for t in tokens[end - block_size : end]))
        keys.append(before)
    return keys
