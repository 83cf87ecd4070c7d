"""Row and column exchanged."""

FAILS = {
    "place_quantized": "place-row-and-column",
    "place_view": "wrong-value",
}


def place(index, nb, block_size):
    index = index[::-1]
    byte = index[0] // block_size * nb[0]
    byte += sum(i * step for i, step in zip(index[1:], nb[1:]))
    return byte, index[0] % block_size
