"""The block at the open end is not counted."""

import numpy as np

FAILS = {
    "fork_counts": "fork-uncounted",
}


def fork(pool, seq):
    if any(pool["refs"][block] == 0 for block in seq["table"]):
        return None
    for block in seq["table"][:-1]:
        pool["refs"][block] += 1
    return {"table": list(seq["table"]), "n": seq["n"]}
