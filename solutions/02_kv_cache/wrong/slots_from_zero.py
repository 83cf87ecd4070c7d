"""start shifts nothing: the first slots of the table."""

import numpy as np

FAILS = {
    "slots_of_a_range": "slots-from-zero",
}


def slots(table, start, stop, block_size):
    position = np.arange(stop - start)
    return np.array(table, int)[position // block_size] * block_size + position % block_size
