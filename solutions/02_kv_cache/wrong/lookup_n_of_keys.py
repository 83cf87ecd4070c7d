"""The length is that of the text, not of what was found."""

import numpy as np

FAILS = {
    "lookup_longest": "lookup-length",
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
    return {"table": table, "n": len(keys) * pool["block_size"]}
