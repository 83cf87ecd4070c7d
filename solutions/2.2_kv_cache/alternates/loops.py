"""Block by block."""


def cache_bytes(n_tokens, block_size, n_layers, n_kv_heads, head_width, bytes_per_element):
    taken = 0
    while n_tokens > 0:
        taken += 2 * n_layers * n_kv_heads * block_size * head_width * bytes_per_element
        n_tokens -= block_size
    return taken
