"""What nobody holds is not found."""

import numpy as np

FAILS = {
    "lookup_holds": "lookup-shorter",
}


def lookup(pool, keys):
    table = []
    for key in keys:
        block = pool["found_by"].get(key)
        if block is None or pool["refs"][block] == 0:
            break
        if block in pool["cached"]:
            pool["cached"].remove(block)
        pool["refs"][block] += 1
        table.append(block)
    return {"table": table, "n": len(table) * pool["block_size"]}
