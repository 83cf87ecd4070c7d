"""What is found cannot be found a second time."""

import numpy as np

FAILS = {
    "lookup_longest": "touches-others",
    "lookup_holds": "touches-others",
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
        del pool["found_by"][key]
    return {"table": table, "n": len(table) * pool["block_size"]}
