"""Rounded down."""

FAILS = {
    "cache_bytes_formula": "bytes-floor",
}


def cache_bytes(n_tokens, block_size, n_layers, n_kv_heads, head_width, bytes_per_element):
    n_blocks = n_tokens // block_size
    return 2 * n_layers * n_kv_heads * n_blocks * block_size * head_width * bytes_per_element
