"""The block's first slot for every token in it."""

import numpy as np

FAILS = {
    "slots_values": "slots-offset-lost",
    "slots_of_a_range": "slots-offset-lost",
    "append_fills": "parts-first",
    "append_at_the_edges": "parts-first",
    "append_copies_on_write": "parts-first",
    "append_copies_no_more": "parts-first",
    "append_withdraws": "parts-first",
    "gather_values": "parts-first",
    "gather_unused_slots": "parts-first",
    "gather_one_block": "parts-first",
    "cache_trace": "parts-first",
    "cache_gives_the_text": "parts-first",
    "cache_of_many": "parts-first",
}


def slots(table, start, stop, block_size):
    position = np.arange(start, stop)
    return np.array(table, int)[position // block_size] * block_size
