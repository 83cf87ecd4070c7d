"""math.ceil."""


import math


def cache_bytes(n_tokens, block_size, n_layers, n_kv_heads, head_width, bytes_per_element):
    row = head_width * bytes_per_element
    rows = math.ceil(n_tokens / block_size) * block_size
    return rows * row * n_kv_heads * n_layers + rows * row * n_kv_heads * n_layers
