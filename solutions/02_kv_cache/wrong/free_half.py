"""K18: blocks before the bad one are let go."""

import numpy as np

FAILS = {
    "free_refuses": "free-half-change",
}


def free(pool, blocks):
    refs, findable = pool["refs"], set(pool["found_by"].values())
    unheld = []
    for block in reversed(blocks):  # the end of a text is given up before what it builds on
        if refs[block] == 0:
            return None
        refs[block] -= 1
        if refs[block] == 0:
            unheld.append(block)
            if block in findable:
                pool["cached"].append(block)
    return unheld
