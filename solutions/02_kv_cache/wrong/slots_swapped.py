"""K3: quotient and remainder swapped."""

import numpy as np

FAILS = {
    "slots_values": "slots-swapped",
    "slots_of_a_range": "slots-swapped",
}


def slots(table, start, stop, block_size):
    position = np.arange(start, stop)
    return np.array(table, int)[position % block_size] * block_size + position // block_size
