"""K30: stop is taken as the last position."""

import numpy as np

FAILS = {
    "slots_values": "slots-last-included",
    "slots_of_a_range": "slots-last-included",
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
    position = np.arange(start, stop + 1)
    return np.array(table, int)[position // block_size] * block_size + position % block_size
