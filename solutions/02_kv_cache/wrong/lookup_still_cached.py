"""K17: what is found stays up for eviction."""

import numpy as np

FAILS = {
    "lookup_holds": "lookup-still-cached",
}


def lookup(pool, keys):
    table = []
    for key in keys:
        block = pool["found_by"].get(key)
        if block is None:
            break
        pool["refs"][block] += 1
        table.append(block)
    return {"table": table, "n": len(table) * pool["block_size"]}
