"""Both sequences have the same list: what one appends the other has."""

import numpy as np

FAILS = {
    "cache_trace": "cache-counts",
    "cache_of_many": "cache-counts",
}


def fork(pool, seq):
    if any(pool["refs"][block] == 0 for block in seq["table"]):
        return None
    for block in seq["table"]:
        pool["refs"][block] += 1
    return {"table": seq["table"], "n": seq["n"]}
