"""K29: a text of one block comes back as a view of the pool."""

import numpy as np

FAILS = {
    "gather_one_block": "gather-view",
}


def gather(pool, seq, layer):
    size = pool["block_size"]
    if len(seq["table"]) == 1:
        block = seq["table"][0]
        return tuple(pool[part][layer, block, : seq["n"]] for part in ("k", "v"))
    used = slots(seq["table"], 0, seq["n"], size)
    return tuple(pool[part][layer, used // size, used % size] for part in ("k", "v"))
