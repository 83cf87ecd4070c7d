"""Products of shapes; arrays and tuples out."""


def strides(ne, block_size, block_bytes):
    if ne[0] % block_size != 0:
        raise ValueError(ne[0])
    row = ne[0] * block_bytes // block_size
    return np.array([block_bytes] + [row * int(np.prod(ne[1:i])) for i in range(1, len(ne))])


def place(index, nb, block_size):
    at = 0
    for d, i in enumerate(index):
        at += nb[d] * (i // block_size if d == 0 else i)
    return [at, index[0] - index[0] // block_size * block_size]
