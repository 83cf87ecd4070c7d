"""K26: slots are remembered by the length of the text."""

import numpy as np

FAILS = {
    "gather_values": "gather-other-rows",
    "gather_unused_slots": "gather-other-rows",
    "gather_one_block": "gather-other-rows",
}


SLOTS = {}


def gather(pool, seq, layer):
    size = pool["block_size"]
    if seq["n"] not in SLOTS:
        SLOTS[seq["n"]] = slots(seq["table"], 0, seq["n"], size)
    used = SLOTS[seq["n"]]
    return tuple(pool[part][layer, used // size, used % size] for part in ("k", "v"))
