"""K18: blocks before the bad one are counted."""

import numpy as np

FAILS = {
    "fork_refuses": "fork-half-change",
}


def fork(pool, seq):
    for block in seq["table"]:
        if pool["refs"][block] == 0:
            return None
        pool["refs"][block] += 1
    return {"table": list(seq["table"]), "n": seq["n"]}
