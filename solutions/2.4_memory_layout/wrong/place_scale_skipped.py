"""After the scale."""

FAILS = {
    "place_quantized": "place-scale-skipped",
}


def place(index, nb, block_size):
    byte = index[0] // block_size * nb[0]
    byte += sum(i * step for i, step in zip(index[1:], nb[1:]))
    byte += 2 if block_size == 32 else 0
    return byte, index[0] % block_size
