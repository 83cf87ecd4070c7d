"""Loops, and NumPy for the sum."""


def strides(ne, block_size, block_bytes):
    n_blocks, rest = divmod(ne[0], block_size)
    if rest != 0:
        raise ValueError("a row must be whole blocks")
    nb, step = [], block_bytes
    for i in range(len(ne)):
        nb.append(step)
        step *= n_blocks if i == 0 else ne[i]
    return nb


def place(index, nb, block_size):
    block, inside = divmod(index[0], block_size)
    return int(np.dot([block, *index[1:]], nb[: len(index)])), inside
