"""A block that could be found becomes unused."""

import numpy as np

FAILS = {
    "free_caches": "free-forgets-findable",
}


def free(pool, blocks):
    refs, findable = pool["refs"], set(pool["found_by"].values())
    if any(refs[block] < blocks.count(block) for block in blocks):
        return None
    unheld = []
    for block in reversed(blocks):  # the end of a text is given up before what it builds on
        refs[block] -= 1
        if refs[block] == 0:
            unheld.append(block)
    return unheld
