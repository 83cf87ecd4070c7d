"""start shifts nothing: the first slots of the table."""

import numpy as np

FAILS = {
    "slots_of_a_range": "slots-from-zero",
    "append_fills": "parts-first",
    "append_at_the_edges": "parts-first",
    "append_copies_on_write": "parts-first",
    "append_copies_no_more": "parts-first",
    "append_withdraws": "parts-first",
    "cache_trace": "parts-first",
    "cache_gives_the_text": "parts-first",
    "cache_of_many": "parts-first",
}


def slots(table, start, stop, block_size):
    position = np.arange(stop - start)
    return np.array(table, int)[position // block_size] * block_size + position % block_size
