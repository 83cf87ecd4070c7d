"""The rule of ggml's layout, and what was measured on one machine."""


def strides(ne, block_size, block_bytes):
    if ne[0] % block_size:
        raise ValueError(f"a row of {ne[0]} elements is no whole number of blocks of {block_size}")
    nb = [block_bytes, ne[0] // block_size * block_bytes]
    for n in ne[1:]:
        nb.append(nb[-1] * n)
    return nb[: len(ne)]


def place(index, nb, block_size):
    byte = index[0] // block_size * nb[0]
    byte += sum(i * step for i, step in zip(index[1:], nb[1:]))
    return byte, index[0] % block_size


def findings() -> dict:
    """What this notebook measured; `lab report` wrote it."""
    return {'file': {'tensors': 47, 'bytes': 4293632, 'Q8_0': 4282368, 'F32': 11264},
     'element': {'byte': 27268, 'inside': 13, 'value': 0.0133524},
     'steps': {'4': 0.325413,
               '8': 0.902875,
               '16': 0.646417,
               '32': 1.64903,
               '64': 6.51589,
               '128': 7.04357,
               '256': 6.04221},
     'orders': {'row by row': 3.37599, 'column by column': 19.3378, 'at random': 39.5506},
     'sizes': {'16384': 50.1334,
               '65536': 85.4875,
               '262144': 38.7103,
               '1048576': 91.5265,
               '4194304': 92.6413,
               '16777216': 25.7528,
               '67108864': 6.19664},
     'formats': {'F32': [4096, 0.112624],
                 'F16': [2048, 0.463775],
                 'Q8_0': [1088, 0.677163],
                 'Q4_0': [576, 0.246017],
                 'Q4_K': [576, 0.212985]}}
