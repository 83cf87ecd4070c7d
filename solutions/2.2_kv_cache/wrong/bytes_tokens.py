"""Tokens in place of blocks."""

FAILS = {
    "cache_bytes_formula": "bytes-not-whole",
}


def cache_bytes(n_tokens, block_size, n_layers, n_kv_heads, head_width, bytes_per_element):
    n_blocks = -(-n_tokens // block_size)
    return 2 * n_layers * n_kv_heads * n_tokens * head_width * bytes_per_element
