"""Blocks that cannot be found are kept as if they could."""

import numpy as np

FAILS = {
    "free_counts": "touches-others",
    "free_caches": "cached-though-unfindable",
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
            if True:
                pool["cached"].append(block)
    return unheld
