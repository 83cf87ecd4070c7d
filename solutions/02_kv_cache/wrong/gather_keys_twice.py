"""The keys come back as values too."""

import numpy as np

FAILS = {
    "gather_values": "gather-swapped",
    "gather_unused_slots": "gather-swapped",
    "gather_one_block": "gather-swapped",
    "cache_trace": "parts-first",
    "cache_gives_the_text": "parts-first",
    "cache_of_many": "parts-first",
}


def gather(pool, seq, layer):
    size = pool["block_size"]
    used = slots(seq["table"], 0, seq["n"], size)
    return tuple(pool[part][layer, used // size, used % size] for part in ("k", "k"))
