"""K6: a table whose blocks were let go is forked."""

import numpy as np

FAILS = {
    "fork_refuses": "fork-of-free",
}


def fork(pool, seq):
    for block in seq["table"]:
        pool["refs"][block] += 1
    return {"table": list(seq["table"]), "n": seq["n"]}
