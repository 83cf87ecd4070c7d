"""Findable blocks that are let go are lost."""

import numpy as np

FAILS = {
    "rewind_edges": "rewind-not-through-free",
}


def rewind(pool, seq, n):
    if not 0 <= n <= seq["n"]:
        return None
    keep = -(-n // pool["block_size"])
    unheld = []
    for block in seq["table"][keep:]:
        pool["refs"][block] -= 1
        if pool["refs"][block] == 0:
            unheld.append(block)
            for key in [k for k, b in pool["found_by"].items() if b == block]:
                del pool["found_by"][key]
    del seq["table"][keep:]
    seq["n"] = n
    return unheld
