"""The first block alone is found."""

import numpy as np

FAILS = {
    "lookup_longest": "lookup-shorter",
    "lookup_holds": "lookup-shorter",
}


def lookup(pool, keys):
    table = []
    for key in keys:
        block = pool["found_by"].get(key)
        if block is None:
            break
        if block in pool["cached"]:
            pool["cached"].remove(block)
        pool["refs"][block] += 1
        table.append(block)
        break
    return {"table": table, "n": len(table) * pool["block_size"]}
