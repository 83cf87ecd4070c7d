"""K3: quotient and remainder swapped."""

import numpy as np

FAILS = {
    "slots_values": "slots-swapped",
    "slots_of_a_range": "slots-swapped",
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
    return np.array(table, int)[position % block_size] * block_size + position // block_size
