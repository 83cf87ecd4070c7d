"""NumPy's order."""

FAILS = {
    "strides_values": "strides-outermost-first",
    "strides_dimensions": "wrong-value",
}


def strides(ne, block_size, block_bytes):
    if ne[0] % block_size:
        raise ValueError(f"a row of {ne[0]} elements is no whole number of blocks of {block_size}")
    nb = [block_bytes, ne[0] // block_size * block_bytes]
    for n in ne[1:]:
        nb.append(nb[-1] * n)
    return nb[: len(ne)][::-1]
