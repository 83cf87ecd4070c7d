"""K30: stop is taken as the last position."""

import numpy as np

FAILS = {
    "slots_values": "slots-last-included",
    "slots_of_a_range": "slots-last-included",
}


def slots(table, start, stop, block_size):
    position = np.arange(start, stop + 1)
    return np.array(table, int)[position // block_size] * block_size + position % block_size
