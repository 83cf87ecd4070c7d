"""K17: a findable block is put up for eviction while others hold it."""

import numpy as np

FAILS = {
    "free_caches": "cached-though-held",
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
        if block in findable:
            pool["cached"].append(block)
    return unheld
