"""NumPy."""


def cache_bytes(n_tokens, block_size, n_layers, n_kv_heads, head_width, bytes_per_element):
    n_blocks = (n_tokens + block_size - 1) // block_size
    shape = (2, n_layers, n_blocks, n_kv_heads, block_size, head_width)
    return np.prod(shape, dtype=np.int64) * bytes_per_element
