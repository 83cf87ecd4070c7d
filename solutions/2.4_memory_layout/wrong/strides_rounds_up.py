"""Takes half a block for a whole one."""

FAILS = {
    "strides_refuses": "strides-accepts",
}


def strides(ne, block_size, block_bytes):
    nb = [block_bytes, -(-ne[0] // block_size) * block_bytes]
    for n in ne[1:]:
        nb.append(nb[-1] * n)
    return nb[: len(ne)]
