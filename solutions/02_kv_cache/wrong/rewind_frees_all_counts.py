"""K13: blocks that others hold are freed with the tail."""

import numpy as np

FAILS = {
    "rewind_edges": "rewind-not-through-free",
}


def rewind(pool, seq, n):
    if not 0 <= n <= seq["n"]:
        return None
    keep = -(-n // pool["block_size"])
    unheld = seq["table"][keep:][::-1]
    findable = set(pool["found_by"].values())
    for block in unheld:
        pool["refs"][block] = 0
        if block in findable:
            pool["cached"].append(block)
    del seq["table"][keep:]
    seq["n"] = n
    return unheld
