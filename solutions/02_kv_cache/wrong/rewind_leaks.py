"""The table gets shorter and nobody lets go."""

import numpy as np

FAILS = {
    "rewind_lets_go": "rewind-not-through-free",
    "rewind_edges": "rewind-not-through-free",
}


def rewind(pool, seq, n):
    if not 0 <= n <= seq["n"]:
        return None
    keep = -(-n // pool["block_size"])
    unheld = []
    del seq["table"][keep:]
    seq["n"] = n
    return unheld
