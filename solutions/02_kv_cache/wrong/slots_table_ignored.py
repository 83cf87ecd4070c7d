"""The position is taken for the slot: right while blocks are handed out in order."""

import numpy as np

FAILS = {
    "slots_values": "slots-table-ignored",
}


def slots(table, start, stop, block_size):
    position = np.arange(start, stop)
    return position
