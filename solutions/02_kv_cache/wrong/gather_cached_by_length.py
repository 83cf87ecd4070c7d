"""K26: slots are remembered by the length of the text."""

import numpy as np

FAILS = {
    "gather_values": "gather-other-rows",
    "gather_unused_slots": "gather-other-rows",
    "gather_one_block": "gather-other-rows",
    "cache_trace": "parts-first",
    "cache_gives_the_text": "parts-first",
    "cache_of_many": "parts-first",
}


SLOTS = {}


def gather(pool, seq, layer):
    size = pool["block_size"]
    if seq["n"] not in SLOTS:
        SLOTS[seq["n"]] = slots(seq["table"], 0, seq["n"], size)
    used = SLOTS[seq["n"]]
    return tuple(pool[part][layer, used // size, used % size] for part in ("k", "v"))
