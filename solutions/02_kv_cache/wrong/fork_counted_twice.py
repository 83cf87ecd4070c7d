"""K8: one table counts twice."""

import numpy as np

FAILS = {
    "fork_counts": "fork-counted-twice",
}


def fork(pool, seq):
    if any(pool["refs"][block] == 0 for block in seq["table"]):
        return None
    for block in seq["table"]:
        pool["refs"][block] += 2
    return {"table": list(seq["table"]), "n": seq["n"]}
