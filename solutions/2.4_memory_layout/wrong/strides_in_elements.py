"""In elements."""

FAILS = {
    "strides_values": "strides-in-elements",
    "strides_dimensions": "wrong-value",
}


def strides(ne, block_size, block_bytes):
    if ne[0] % block_size:
        raise ValueError("no whole number of blocks")
    nb = [1]
    for n in ne[:-1]:
        nb.append(nb[-1] * n)
    return nb
