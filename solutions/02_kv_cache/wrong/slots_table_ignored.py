"""The position is taken for the slot: right while blocks are handed out in order."""

import numpy as np

FAILS = {
    "slots_values": "slots-table-ignored",
    "append_fills": "parts-first",
    "append_at_the_edges": "parts-first",
    "append_copies_on_write": "parts-first",
    "append_copies_no_more": "parts-first",
    "append_withdraws": "parts-first",
    "gather_values": "parts-first",
    "gather_unused_slots": "parts-first",
    "gather_one_block": "parts-first",
    "cache_trace": "parts-first",
    "cache_of_many": "parts-first",
}


def slots(table, start, stop, block_size):
    position = np.arange(start, stop)
    return position
