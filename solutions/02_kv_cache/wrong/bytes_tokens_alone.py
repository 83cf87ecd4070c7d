"""Tokens are counted, not whole blocks."""

import numpy as np

FAILS = {
    "cache_bytes_values": "bytes-of-tokens-alone",
}


def cache_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    n_blocks = -(-n_tokens // block_size)
    rows = 2 * n_layers * n_kv_heads * n_tokens  # keys and values
    return rows * head_width * itemsize
