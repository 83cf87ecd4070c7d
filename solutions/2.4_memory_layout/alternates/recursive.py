"""From the outside in."""


def strides(ne, block_size, block_bytes):
    if len(ne) == 1:
        if ne[0] % block_size:
            raise ValueError("blocks")
        return [block_bytes]
    inner = strides(ne[:-1], block_size, block_bytes)
    last = ne[-2] // block_size if len(ne) == 2 else ne[-2]
    return [*inner, inner[-1] * last]


def place(index, nb, block_size):
    if len(index) == 1:
        return index[0] // block_size * nb[0], index[0] % block_size
    byte, inside = place(index[:-1], nb, block_size)
    return byte + index[-1] * nb[len(index) - 1], inside
