"""One layer."""

FAILS = {
    "cache_bytes_formula": "wrong-value",
    "cache_bytes_full": "wrong-value",
}


def cache_bytes(n_tokens, block_size, n_layers, n_kv_heads, head_width, bytes_per_element):
    n_blocks = -(-n_tokens // block_size)
    return 2 * n_kv_heads * n_blocks * block_size * head_width * bytes_per_element
