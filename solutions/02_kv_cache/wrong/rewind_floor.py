"""The block that is still half used is let go."""

import numpy as np

FAILS = {
    "rewind_lets_go": "rewind-lets-go-too-much",
    "rewind_edges": "rewind-lets-go-too-much",
}


def rewind(pool, seq, n):
    if not 0 <= n <= seq["n"]:
        return None
    keep = n // pool["block_size"]
    unheld = free(pool, seq["table"][keep:])
    del seq["table"][keep:]
    seq["n"] = n
    return unheld
