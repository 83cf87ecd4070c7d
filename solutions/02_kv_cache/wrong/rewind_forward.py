"""Rewinding to more tokens than there are makes them up."""

import numpy as np

FAILS = {
    "rewind_edges": "rewind-forward",
}


def rewind(pool, seq, n):
    keep = -(-n // pool["block_size"])
    unheld = free(pool, seq["table"][keep:])
    del seq["table"][keep:]
    seq["n"] = n
    return unheld
