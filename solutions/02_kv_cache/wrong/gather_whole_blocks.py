"""K27: the whole last block comes back, written or not."""

import numpy as np

FAILS = {
    "gather_unused_slots": "gather-whole-blocks",
}


def gather(pool, seq, layer):
    size = pool["block_size"]
    used = slots(seq["table"], 0, len(seq["table"]) * size, size)
    return tuple(pool[part][layer, used // size, used % size] for part in ("k", "v"))
