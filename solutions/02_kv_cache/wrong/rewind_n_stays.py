"""K25: the blocks go and the length stays: a stale tail."""

import numpy as np

FAILS = {
    "rewind_lets_go": "rewind-length",
    "rewind_edges": "rewind-length",
}


def rewind(pool, seq, n):
    if not 0 <= n <= seq["n"]:
        return None
    keep = -(-n // pool["block_size"])
    unheld = free(pool, seq["table"][keep:])
    del seq["table"][keep:]
    return unheld
