"""K26: what was read is remembered by table and layer; later writes are not seen."""

import numpy as np

FAILS = {
    "gather_one_block": "gather-remembered",
}


ROWS = {}


def gather(pool, seq, layer):
    size = pool["block_size"]
    used = slots(seq["table"], 0, seq["n"], size)
    name = tuple(seq["table"]), seq["n"], layer
    if name not in ROWS:
        ROWS[name] = tuple(pool[part][layer, used // size, used % size] for part in ("k", "v"))
    return ROWS[name]
