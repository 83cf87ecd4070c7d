"""Two bytes a number, whatever is asked."""

import numpy as np

FAILS = {
    "cache_bytes_values": "bytes-itemsize-fixed",
}


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    n_blocks = -(-n_tokens // block_size)
    rows = 2 * n_layers * n_kv_heads * n_blocks * block_size  # keys and values
    return rows * head_width * 2
