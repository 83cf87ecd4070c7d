"""Matrices alone."""

FAILS = {
    "place_view": "wrong-value",
}


def place(index, nb, block_size):
    byte = index[0] // block_size * nb[0]
    byte += sum(i * step for i, step in zip(index[1:2], nb[1:2]))
    return byte, index[0] % block_size
