"""K1: floor + 1 blocks, one too many where the last is exactly full."""

import numpy as np

FAILS = {
    "cache_bytes_at_the_edges": "blocks-one-more",
}


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    n_blocks = n_tokens // block_size + 1
    rows = 2 * n_layers * n_kv_heads * n_blocks * block_size  # keys and values
    return rows * head_width * itemsize
