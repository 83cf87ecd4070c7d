"""What is found is not counted as held."""

import numpy as np

FAILS = {
    "lookup_longest": "lookup-uncounted",
    "lookup_holds": "lookup-uncounted",
}


def lookup(pool, keys):
    table = []
    for key in keys:
        block = pool["found_by"].get(key)
        if block is None:
            break
        if block in pool["cached"]:
            pool["cached"].remove(block)
        table.append(block)
    return {"table": table, "n": len(table) * pool["block_size"]}
