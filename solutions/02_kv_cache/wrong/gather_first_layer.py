"""Layer 0 whatever is asked."""

import numpy as np

FAILS = {
    "gather_values": "gather-other-layer",
    "gather_unused_slots": "gather-other-layer",
    "gather_one_block": "gather-other-layer",
}


def gather(pool, seq, layer):
    size = pool["block_size"]
    used = slots(seq["table"], 0, seq["n"], size)
    return tuple(pool[part][0, used // size, used % size] for part in ("k", "v"))
