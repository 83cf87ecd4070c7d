"""K25: blocks are let go and stay in the table."""

import numpy as np

FAILS = {
    "rewind_lets_go": "rewind-extra-block",
    "rewind_edges": "rewind-extra-block",
}


def rewind(pool, seq, n):
    if not 0 <= n <= seq["n"]:
        return None
    keep = -(-n // pool["block_size"])
    unheld = free(pool, seq["table"][keep:])
    seq["n"] = n
    return unheld
