"""A block for every element."""

FAILS = {
    "place_quantized": "place-element-stride",
}


def place(index, nb, block_size):
    byte = index[0] * nb[0]
    byte += sum(i * step for i, step in zip(index[1:], nb[1:]))
    return byte, index[0] % block_size
