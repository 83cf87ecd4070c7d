"""K14: the key has the block before, and not what is before that."""

import numpy as np

FAILS = {
    "block_keys_chain": "keys-without-the-chain",
}


def block_keys(tokens, block_size):
    keys, before = [], None
    for end in range(block_size, len(tokens) + 1, block_size):
        own = tuple(int(t) for t in tokens[end - block_size : end])
        keys.append((before, own))
        before = own
    return keys
