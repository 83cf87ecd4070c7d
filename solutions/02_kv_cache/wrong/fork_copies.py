"""K10: every block is copied at once."""

import numpy as np

FAILS = {
    "fork_counts": "fork-copies",
}


def fork(pool, seq):
    if any(pool["refs"][block] == 0 for block in seq["table"]):
        return None
    fresh = allocate(pool, len(seq["table"]))
    if fresh is None:
        return None
    for old, new in zip(seq["table"], fresh):
        for part in ("k", "v"):
            pool[part][:, new] = pool[part][:, old]
    return {"table": fresh, "n": seq["n"]}
