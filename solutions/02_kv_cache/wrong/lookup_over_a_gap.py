"""K14: blocks after one that is not there are taken too."""

import numpy as np

FAILS = {
    "lookup_longest": "lookup-over-a-gap",
}


def lookup(pool, keys):
    table = []
    for key in keys:
        block = pool["found_by"].get(key)
        if block is None:
            continue
        if block in pool["cached"]:
            pool["cached"].remove(block)
        pool["refs"][block] += 1
        table.append(block)
    return {"table": table, "n": len(table) * pool["block_size"]}
