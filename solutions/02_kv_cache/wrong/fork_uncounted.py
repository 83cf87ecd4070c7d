"""K7: the child is not counted."""

import numpy as np

FAILS = {
    "fork_counts": "fork-uncounted",
}


def fork(pool, seq):
    if any(pool["refs"][block] == 0 for block in seq["table"]):
        return None
    return {"table": list(seq["table"]), "n": seq["n"]}
