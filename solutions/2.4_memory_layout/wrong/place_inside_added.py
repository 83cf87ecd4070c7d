"""The place in the block added."""

FAILS = {
    "place_quantized": "place-inside-added",
}


def place(index, nb, block_size):
    byte = index[0] // block_size * nb[0]
    byte += sum(i * step for i, step in zip(index[1:], nb[1:]))
    return byte + index[0] % block_size, index[0] % block_size
