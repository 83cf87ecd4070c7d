"""K5: letting go of what nobody holds is accepted."""

import numpy as np

FAILS = {
    "free_refuses": "free-twice",
}


def free(pool, blocks):
    refs, findable = pool["refs"], set(pool["found_by"].values())
    unheld = []
    for block in reversed(blocks):  # the end of a text is given up before what it builds on
        refs[block] = max(0, refs[block] - 1)
        if refs[block] == 0:
            unheld.append(block)
            if block in findable:
                pool["cached"].append(block)
    return unheld
