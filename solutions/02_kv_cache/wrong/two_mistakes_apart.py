"""A leak in fork and a view in gather: each is named where it is."""

import numpy as np

FAILS = {
    "fork_counts": "fork-uncounted",
    "gather_one_block": "gather-view",
}


def fork(pool, seq):
    if any(pool["refs"][block] == 0 for block in seq["table"]):
        return None
    return {"table": list(seq["table"]), "n": seq["n"]}


def gather(pool, seq, layer):
    size = pool["block_size"]
    if len(seq["table"]) == 1:
        block = seq["table"][0]
        return tuple(pool[part][layer, block, : seq["n"]] for part in ("k", "v"))
    used = slots(seq["table"], 0, seq["n"], size)
    return tuple(pool[part][layer, used // size, used % size] for part in ("k", "v"))
