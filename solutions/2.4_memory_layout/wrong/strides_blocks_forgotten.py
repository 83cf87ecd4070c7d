"""Elements with bytes of their own."""

FAILS = {
    "strides_values": "strides-blocks-forgotten",
}


def strides(ne, block_size, block_bytes):
    if ne[0] % block_size:
        raise ValueError(f"a row of {ne[0]} elements is no whole number of blocks of {block_size}")
    nb = [block_bytes, ne[0] * block_bytes]
    for n in ne[1:]:
        nb.append(nb[-1] * n)
    return nb[: len(ne)]
