"""K25: at the edge of a block the empty one is kept."""

import numpy as np

FAILS = {
    "rewind_lets_go": "rewind-extra-block",
    "rewind_edges": "rewind-extra-block",
}


def rewind(pool, seq, n):
    if not 0 <= n <= seq["n"]:
        return None
    keep = n // pool["block_size"] + 1
    unheld = free(pool, seq["table"][keep:])
    del seq["table"][keep:]
    seq["n"] = n
    return unheld
